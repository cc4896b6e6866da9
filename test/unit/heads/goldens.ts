/** scripts/goldens/heads.py's sets, as the trainers take them. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { fitFeatures, transformRows } from '../../../worker/heads/math/features.ts';
import type { LinearFit } from '../../../worker/heads/math/fit.ts';
import type { Rows } from '../../../worker/heads/math/gram.ts';
import { singleLabelTargets, type Targets } from '../../../worker/heads/math/targets.ts';

const FOLDER = new URL('../../fixtures/heads/', import.meta.url);
const predictions = z.object({ predictions: z.array(z.int()) });
const goldenSchema = z.object({
  classes: z.int(),
  dimensions: z.int(),
  train: z.int(),
  labels: z.array(z.int()),
  ridge: predictions.extend({ lambda: z.number() }),
  balanced: predictions,
  left_out: z.array(z.array(z.number())),
  logistic: z.record(z.string(), predictions.extend({ probabilities: z.array(z.array(z.number())) })),
  nearest_mean: predictions,
});

/** One set. */
export interface GoldenSet {
  readonly golden: z.infer<typeof goldenSchema>;
  /** Every embedding, as the backbone gave it: those to train on first. */
  readonly raw: Rows;
  /** The same at unit length. */
  readonly all: Rows;
  /** The part of `all` to train on, and its labels. */
  readonly train: Rows;
  readonly targets: Targets;
}

const { sets } = z
  .object({ sets: z.record(z.string(), goldenSchema) })
  .parse(JSON.parse(readFileSync(new URL('goldens.json', FOLDER), 'utf8')));

/** Reads a set. */
export async function readGoldenSet(name: 'dual' | 'primal'): Promise<GoldenSet> {
  const golden = sets[name]!;
  const bytes = await readFile(new URL(`${name}.f16.bin`, FOLDER));
  const count = golden.labels.length;
  const data = Float32Array.from({ length: count * golden.dimensions }, (_, i) => float16(bytes.readUInt16LE(2 * i)));
  const raw = { data, count, dimensions: golden.dimensions };
  const all = transformRows(fitFeatures('l2', raw), raw);
  return {
    golden,
    raw,
    all,
    train: firstRows(all, golden.train),
    targets: singleLabelTargets(golden.labels.slice(0, golden.train), golden.classes),
  };
}

/** The first rows of a set. */
export function firstRows({ data, dimensions }: Rows, count: number): Rows {
  return { data: data.subarray(0, count * dimensions), count, dimensions };
}

/** The share of equal entries. */
export function agreement(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let equal = 0;
  for (let i = 0; i < b.length; i++) if (a[i] === b[i]) equal++;
  return equal / b.length;
}

/** IEEE 754 binary16. */
function float16(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits >> 15 === 1 ? -1 : 1;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** Scores of one row of features: `out[k] = weight[k] x + bias[k]`. */
export function scoreRow(
  { classes, dimensions, weight, bias }: LinearFit,
  features: ArrayLike<number>,
  from: number,
  out: Float64Array,
  at: number,
): void {
  for (let k = 0; k < classes; k++) {
    let sum = bias[k]!;
    for (let d = 0; d < dimensions; d++) sum += weight[k * dimensions + d]! * features[from + d]!;
    out[at + k] = sum;
  }
}
