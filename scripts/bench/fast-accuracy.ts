/**
 * How far the fast mode (scaled JPEG decoding) is from the exact one, in steps of 255, over the photos of the shared
 * corpora (where present) and the synthetic photo of the speed benchmark.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readInfo } from '../../worker/imaging/decode.ts';
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';
import { planPreprocess } from '../../worker/preprocess/plan.ts';
import { preprocessToRgb8 } from '../../worker/preprocess/preprocess.ts';
import { encodePhoto, makePhoto } from './photo.ts';
import { sharedFolder } from './shared-data.ts';
import type { BenchOptions, BenchSuite } from './suite.ts';

/** Decoded px for each px of the result: the least that the plan allows, and the middle of the range up to the next scale. */
const GAPS = [2, 3] as const;

const FILTERS = [
  ['bilinear', 2],
  ['bicubic', 3],
] as const;

function photos(): readonly Uint8Array[] {
  const folder = join(sharedFolder(), 'corpora/photos');
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /\.jpe?g$/i.test(name));
  return names.sort().map((name) => new Uint8Array(readFileSync(join(folder, name))));
}

/** Counts of absolute differences 0 .. 255. */
async function differences(bytes: Uint8Array, sizePx: number, resample: number, counts: Float64Array): Promise<number> {
  const config = parseProcessorConfig({ size: sizePx, crop_size: sizePx, resample });
  const exact = await preprocessToRgb8(bytes, config, { exact: true });
  const fast = await preprocessToRgb8(bytes, config);
  for (const [i, value] of exact.rgb8.entries()) {
    const difference = Math.abs(value - fast.rgb8[i]!);
    counts[difference] = counts[difference]! + 1;
  }
  return planPreprocess(readInfo(bytes), config, { exact: false }).scaleDenominator;
}

function summarize(counts: Float64Array): { mean: number; p99: number; max: number } {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let mean = 0;
  let max = 0;
  let p99 = 0;
  let seen = 0;
  for (const [difference, count] of counts.entries()) {
    mean += (difference * count) / total;
    if (count > 0) max = difference;
    if (seen < total * 0.99) p99 = difference;
    seen += count;
  }
  return { mean, p99, max };
}

async function run({ print }: BenchOptions): Promise<Readonly<Record<string, unknown>>> {
  const files = [...photos(), await encodePhoto(await makePhoto(4032, 3024), 'jpeg')];
  print(`${files.length} photos; difference between fast and exact in steps of 255, over all samples`);
  print('| filter | decoded at | decoded px a px | mean | 99 % within | largest |');
  print('|---|---|---|---|---|---|');
  const rows: Record<string, number | string>[] = [];
  for (const [filter, resample] of FILTERS) {
    for (const denominator of [2, 4, 8]) {
      for (const gap of GAPS) {
        const counts = new Float64Array(256);
        for (const bytes of files) {
          const { width, height } = readInfo(bytes);
          const sizePx = Math.floor(Math.min(width, height) / (denominator * gap));
          const used = await differences(bytes, sizePx, resample, counts);
          if (used !== denominator) throw new Error(`decoded at 1/${used}, not 1/${denominator}`);
        }
        const { mean, p99, max } = summarize(counts);
        print(`| ${filter} | 1/${denominator} | ${gap} | ${mean.toFixed(2)} | ${p99} | ${max} |`);
        rows.push({ filter, denominator, gap, mean: Number(mean.toFixed(3)), p99, max });
      }
    }
  }
  return { photos: files.length, rows };
}

/** `npm run bench -- fast-accuracy`. */
export const FAST_ACCURACY_SUITE: BenchSuite = { run };
