/** What `bit-edge policy` does beside the judging: stores, labelled folders, figures and curves. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryObjectStore } from '../../../../model-store/memory-object-store.ts';
import { run } from '../../../../scripts/cli/commands/policy.ts';
import { listLabelledImages } from '../../../../scripts/cli/policy/labelled-folder.ts';
import { type JudgedImage, measureCategory } from '../../../../scripts/cli/policy/metrics.ts';
import { thresholdCurveSvg } from '../../../../scripts/cli/policy/threshold-curve.ts';
import { PolicyCache } from '../../../../worker/moderation/policy/cache.ts';
import { publishPolicy, readPolicy } from '../../../../worker/moderation/policy/store.ts';
import { parsePolicy } from '../../../../worker/moderation/policy/validate.ts';
import { readPhoto } from '../../../support/photo.ts';

const NOW = '2026-01-01T00:00:00Z';
const policyText = (version: string, labels = ['lemon'], extra: object = {}) =>
  JSON.stringify({
    schema_version: 1,
    name: 'fruit',
    version,
    model: { name: 'bit-tiny-200' },
    categories: [{ name: 'citrus', labels, thresholds: { review: 0.2, block: 0.6 } }],
    ...extra,
  });

describe('policy store', () => {
  it('publishes a version once, and lets the alias name it', async () => {
    const store = new MemoryObjectStore();
    expect(await publishPolicy(store, policyText('1'), 'latest', NOW)).toEqual({
      name: 'fruit',
      version: '1',
      alreadyPublished: false,
      movedFrom: null,
    });
    expect(await publishPolicy(store, policyText('1'), 'latest', NOW)).toMatchObject({ alreadyPublished: true });
    expect(await publishPolicy(store, policyText('2', ['orange']), 'latest', NOW)).toMatchObject({ movedFrom: '1' });
    expect((await readPolicy(store, { name: 'fruit', reference: 'latest' })).version).toBe('2');
    expect((await readPolicy(store, { name: 'fruit', reference: '1' })).categories[0]!.labels).toEqual(['lemon']);
  });

  it('never changes a version, and moves no alias where none is asked for', async () => {
    const store = new MemoryObjectStore();
    await publishPolicy(store, policyText('1'), null, NOW);
    await expect(publishPolicy(store, policyText('1', ['orange']), 'latest', NOW)).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(readPolicy(store, { name: 'fruit', reference: 'latest' })).rejects.toMatchObject({
      code: 'policy_not_found',
    });
  });

  it('refuses what is stored under another name', async () => {
    const store = new MemoryObjectStore();
    await store.put('policies/other/1.json', new TextEncoder().encode(policyText('1')));
    await expect(readPolicy(store, { name: 'other', reference: '1' })).rejects.toMatchObject({
      code: 'invalid_policy',
    });
  });

  it('is read anew once a look-up is old, and a failed one at once', async () => {
    const store = new MemoryObjectStore();
    let now = 0;
    const cache = new PolicyCache({ store, maxAgeMs: 1000, now: () => now });
    const read = async () => (await cache.get({ name: 'fruit', reference: 'latest' })).version;
    await expect(read()).rejects.toMatchObject({ code: 'policy_not_found' });
    await publishPolicy(store, policyText('1'), 'latest', NOW);
    expect(await read()).toBe('1');
    await publishPolicy(store, policyText('2'), 'latest', NOW);
    now = 999;
    expect(await read()).toBe('1');
    now = 1000;
    expect(await read()).toBe('2');
  });

  it('falls back to the policy that ships for the name default alone', async () => {
    const cache = new PolicyCache({ store: new MemoryObjectStore(), maxAgeMs: 0, now: () => 0 });
    expect((await cache.get({ name: 'default', reference: 'latest' })).version).toBe('1');
    await expect(cache.get({ name: 'default', reference: '9' })).rejects.toMatchObject({ code: 'policy_not_found' });
  });
});

describe('figures', () => {
  const image = (score: number, isCitrus: boolean, overriddenBy?: string): JudgedImage => ({
    file: 'x',
    expected: new Set(isCitrus ? ['citrus'] : []),
    evaluation: {
      verdict: 'allow',
      reason: null,
      categories: [
        {
          name: 'citrus',
          score,
          threshold: 0.5,
          action: score >= 0.5 && overriddenBy === undefined ? 'review' : 'allow',
          labels: [],
          ...(overriddenBy === undefined ? {} : { overridden_by: overriddenBy }),
        },
      ],
    },
  });

  it('count what was caught rightly, wrongly, and missed', () => {
    const images = [image(0.9, true), image(0.8, false), image(0.6, true), image(0.3, true), image(0.1, false)];
    expect(measureCategory('citrus', images)).toEqual({
      name: 'citrus',
      positives: 3,
      truePositives: 2,
      falsePositives: 1,
      falseNegatives: 1,
      precision: 2 / 3,
      recall: 2 / 3,
      curve: [
        { threshold: 0.9, precision: 1, recall: 1 / 3 },
        { threshold: 0.8, precision: 1 / 2, recall: 1 / 3 },
        { threshold: 0.6, precision: 2 / 3, recall: 2 / 3 },
        { threshold: 0.3, precision: 3 / 4, recall: 1 },
        { threshold: 0.1, precision: 3 / 5, recall: 1 },
      ],
    });
  });

  it('have one point for equal scores, none for what the allow list spoke for, none without a positive', () => {
    const tied = measureCategory('citrus', [image(0.7, true), image(0.7, false), image(0.9, true, 'comic book')]);
    expect(tied.curve).toEqual([{ threshold: 0.7, precision: 0.5, recall: 0.5 }]);
    const none = measureCategory('citrus', [image(0.7, false)]);
    expect(none).toMatchObject({ precision: 0, recall: null, curve: [] });
  });

  it('are drawn as SVG with both curves and the thresholds', () => {
    const policy = parsePolicy(JSON.parse(policyText('1')));
    const svg = thresholdCurveSvg(policy, [measureCategory('citrus', [image(0.9, true), image(0.4, true)])]);
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/stroke-dasharray/g)).toHaveLength(4); // two thresholds, two legend entries
    expect(svg).toContain('<title>fruit@1: precision and recall over the threshold</title>');
    const empty = thresholdCurveSvg(policy, [measureCategory('citrus', [image(0.9, false)])]);
    expect(empty).toContain('no labelled image');
    expect(empty).not.toContain('<polyline');
  });
});

describe('bit-edge policy', () => {
  let folder: string;
  let output: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bit-edge-policy-'));
    output = '';
    const write = (text: string | Uint8Array): boolean => {
      output += String(text);
      return true;
    };
    vi.spyOn(process.stdout, 'write').mockImplementation(write);
    vi.spyOn(process.stderr, 'write').mockImplementation(write);
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true, force: true });
  });

  it('validates, publishes and says what moved', async () => {
    const file = join(folder, 'fruit.json');
    await writeFile(file, policyText('1'));
    const store = ['--store', join(folder, 'store')];
    expect(await run(['validate', file, ...store])).toBe(0);
    expect(output).toMatch(/fruit@1 is valid for bit-tiny-200@/);
    expect(await run(['publish', file, ...store])).toBe(0);
    await writeFile(file, policyText('2'));
    expect(await run(['publish', file, ...store, '--json'])).toBe(0);
    expect(output).toMatch(/latest: new -> 1/);
    expect(output).toContain('"version":"2","alreadyPublished":false,"movedFrom":"1"');
  }, 60_000);

  it('names every problem, with suggestions, before anything is published', async () => {
    await writeFile(join(folder, 'a.json'), policyText('1'));
    await writeFile(join(folder, 'b.json'), policyText('2', ['lemmon', 'orang']));
    const store = join(folder, 'store');
    await expect(run(['publish', folder, '--store', store])).rejects.toThrow(
      /has 2 problems:\n {2}categories\[0\]\.labels\[0\]: unknown label "lemmon"; did you mean "lemon"\?\n {2}.*"orang"/,
    );
    await expect(run(['validate', store])).rejects.toThrow();
  }, 60_000);

  it('measures a policy over a labelled folder and writes the curve', async () => {
    await mkdir(join(folder, 'images/citrus'), { recursive: true });
    await mkdir(join(folder, 'images/none'), { recursive: true });
    await writeFile(join(folder, 'images/citrus/a.png'), readPhoto());
    await writeFile(join(folder, 'images/none/b.png'), readPhoto());
    await writeFile(join(folder, 'images/none/broken.png'), 'no image');
    const policy = join(folder, 'fruit.json');
    await writeFile(policy, policyText('1'));
    const svg = join(folder, 'curve.svg');
    expect(await run(['test', join(folder, 'images'), '--policy', policy, '--svg', svg, '--json'])).toBe(0);
    const result = JSON.parse(output.slice(output.indexOf('{"policy"')));
    expect(result).toMatchObject({
      policy: { name: 'fruit', version: '1' },
      images: 2,
      unreadable: [expect.stringContaining('broken.png')],
      categories: [{ name: 'citrus', positives: 1, truePositives: 0, falseNegatives: 1, recall: 0 }],
    });
  }, 60_000);

  it('takes labels from labels.json, and refuses categories that are not there', async () => {
    await writeFile(join(folder, 'a.png'), 'x');
    await writeFile(join(folder, 'labels.json'), '{"a.png": ["citrus", "sweet"]}');
    const [image] = await listLabelledImages(folder, ['citrus', 'sweet']);
    expect([...image!.expected]).toEqual(['citrus', 'sweet']);
    await expect(listLabelledImages(folder, ['citrus'])).rejects.toThrow(/no category "sweet"; it has citrus/);
  });

  it.each([[[]], [['validate']], [['delete', 'x']], [['test', 'a', 'b']]])('refuses the arguments %j', async (args) => {
    expect(await run(args)).toBe(2);
  });
});
