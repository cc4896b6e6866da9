import { describe, expect, it } from 'vitest';
import { runtimeSvg } from '../../../../scripts/bench/runtime/plot.ts';
import { SIDES, summarize } from '../../../../scripts/bench/runtime/result.ts';
import { NOTHING, PARTS } from './runtime-result.ts';

/** The words of every element that holds only words; throws where tags, attributes or entities are not well-formed. */
function readXml(source: string): string[] {
  const open: string[] = [];
  const words: string[] = [];
  const token = /<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>|([^<]+)|./gsy;
  for (const [all, closing, name, , empty, content] of source.trimEnd().matchAll(token)) {
    if (content !== undefined) {
      if (/&(?!(?:amp|lt|gt|quot);)/.test(content)) throw new Error(`a bare & in ${content}`);
      if (content.trim() !== '') words.push(content);
    } else if (name === undefined) throw new Error(`no markup: ${all}`);
    else if (closing === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing`);
    } else if (empty !== '/') open.push(name);
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join()}`);
  return words;
}

/** All that the panels must show, as they show it. */
function figuresOf({
  inference,
  coldStarts,
  load,
  memoryDefault,
  memoryR50,
  memoryR50At448,
  memoryR101At448,
}: typeof PARTS): string[] {
  const values = [
    ...(inference ?? []).flatMap(({ medianMs, fastestMs }) => [medianMs, fastestMs]),
    ...(coldStarts ?? []).flatMap(({ firstAnswerMs, manifestMs, filesMs, sessionMs }) => [
      firstAnswerMs,
      manifestMs,
      filesMs,
      sessionMs,
    ]),
    ...(load?.loads ?? []).flatMap(({ perSecond, p50Ms, p95Ms, p99Ms }) => [perSecond, p50Ms, p95Ms, p99Ms]),
    ...[memoryDefault!, memoryR50!, memoryR50At448!, memoryR101At448!].flatMap(({ peakMib, steadyMib, wasmMib }) => [
      peakMib,
      steadyMib,
      wasmMib,
      steadyMib - wasmMib,
      peakMib - steadyMib,
    ]),
  ];
  return values.map((value) => value.toFixed(1));
}

describe('runtimeSvg', () => {
  it('is well-formed, with a title and a ground of its own, whatever the names hold', () => {
    const svg = runtimeSvg(summarize(PARTS));
    expect(readXml(svg)[0]).toContain('A &lt;fast&gt; &amp; &quot;quiet&quot; CPU, 2 cores');
    expect(svg).toMatch(/<rect width="1000" height="824" fill="#ffffff"\/>/);
  });

  it('shows every figure and both limits of memory', () => {
    const words = readXml(runtimeSvg(summarize(PARTS))).join(' ');
    for (const figure of figuresOf(PARTS))
      expect(words).toMatch(new RegExp(`(?<![\\d.])${figure.replace('.', '\\.')}`));
    expect(words).toContain('wanted: at most 48 MiB');
    expect(words).toContain('wanted: at most 110 MiB');
    expect(words).not.toContain('not measured');
  });

  it('draws a bar as long as its figure, beside the others of its group', () => {
    const widths = [...runtimeSvg(summarize(PARTS)).matchAll(/<rect x="158" y="[\d.]+" width="([\d.]+)"/g)].map(
      ([, width]) => Number(width),
    );
    const medians = [201.1, 280.3, 402.2, 245.6, 69.4, 41.8];
    for (const [index, median] of medians.entries()) expect(widths[index]! / widths[0]!).toBeCloseTo(median / 201.1, 2);
  });

  it('says which sides are missing, and keeps the others', () => {
    const inference = PARTS.inference!.filter(({ side }) => side !== SIDES.r50Qdq && side !== SIDES.r50QdqNode);
    const words = readXml(runtimeSvg(summarize({ ...PARTS, inference, memoryR50: null })));
    expect(words.filter((each) => each === 'not measured')).toHaveLength(3);
    expect(words.join(' ')).toContain('201.1 ms');
  });

  it('is well-formed without any figure', () => {
    const svg = runtimeSvg(summarize(NOTHING));
    expect(readXml(svg).filter((each) => each === 'not measured')).toHaveLength(7);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('has round numbers along its axes, however small the figures are', () => {
    const quick = { concurrency: 1, requests: 8, lost: 0, perSecond: 9, p50Ms: 0.11, p95Ms: 0.21, p99Ms: 0.46 };
    const words = readXml(runtimeSvg(summarize({ ...PARTS, load: { loads: [quick], cpuMsPerRequest: null } })));
    expect(words).toEqual(expect.arrayContaining(['0.1', '0.2', '0.3', '0.4', '0.5 ms']));
  });

  it('shows a dash for a load that lost every request', () => {
    const none = {
      concurrency: 1,
      requests: 8,
      lost: 8,
      perSecond: 0,
      p50Ms: Number.NaN,
      p95Ms: Number.NaN,
      p99Ms: Number.NaN,
    };
    const svg = runtimeSvg(summarize({ ...PARTS, load: { loads: [none], cpuMsPerRequest: null } }));
    expect(readXml(svg)).toContain('0.0/s, 8 lost');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});
