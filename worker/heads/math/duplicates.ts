/** Pairs of examples that are the same picture, or nearly, but have different labels. Pure. */
import type { Rows } from './gram.ts';
import { seededRandom } from './random.ts';
import type { Targets } from './targets.ts';

/** Cosine from which two examples count as the same picture. */
const SAME_COSINE = 0.9995;

/** Directions of the sketch that finds candidates: unlike pairs differ in it by far more than it errs. */
const SKETCH = 16;

/** Pairs that are kept at most. */
const MAX_PAIRS = 1000;

/** Two examples, by index. */
export interface DuplicatePair {
  readonly first: number;
  readonly second: number;
  readonly cosine: number;
}

/** Finds the pairs, the closest first. Johnson and Lindenstrauss, 1984, with signs: Achlioptas, 2003. */
export function duplicatesAcrossClasses(rows: Rows, { classes, membership }: Targets): DuplicatePair[] {
  const { data, count, dimensions } = rows;
  const lengths = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let squares = 0;
    for (let d = 0; d < dimensions; d++) squares += data[i * dimensions + d]! ** 2;
    lengths[i] = Math.sqrt(squares);
  }
  const sketches = sketch(rows, lengths);
  // Unit vectors of this cosine are this far apart, squared; four times that for what the sketch errs.
  const limit = 4 * 2 * (1 - SAME_COSINE);
  const pairs: DuplicatePair[] = [];
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      let distance = 0;
      for (let s = 0; s < SKETCH && distance <= limit; s++) {
        const difference = sketches[i * SKETCH + s]! - sketches[j * SKETCH + s]!;
        distance += difference * difference;
      }
      if (distance > limit || sameLabels(membership, classes, i, j)) continue;
      let product = 0;
      for (let d = 0; d < dimensions; d++) product += data[i * dimensions + d]! * data[j * dimensions + d]!;
      const cosine = product / (lengths[i]! * lengths[j]!);
      if (cosine >= SAME_COSINE) pairs.push({ first: j, second: i, cosine: Math.min(1, cosine) });
      if (pairs.length >= MAX_PAIRS) return sorted(pairs);
    }
  }
  return sorted(pairs);
}

function sorted(pairs: DuplicatePair[]): DuplicatePair[] {
  return pairs.sort((a, b) => b.cosine - a.cosine || a.first - b.first || a.second - b.second);
}

/** Random projections of the examples at unit length, `[count, SKETCH]`. */
function sketch({ data, count, dimensions }: Rows, lengths: Float64Array): Float64Array {
  const random = seededRandom(0x5bd1e995);
  const signs = new Int8Array(SKETCH * dimensions);
  for (let at = 0; at < signs.length; at++) signs[at] = random() >>> 31 === 1 ? 1 : -1;
  const out = new Float64Array(count * SKETCH);
  const scale = 1 / Math.sqrt(SKETCH);
  for (let i = 0; i < count; i++) {
    for (let s = 0; s < SKETCH; s++) {
      let sum = 0;
      for (let d = 0; d < dimensions; d++) sum += signs[s * dimensions + d]! * data[i * dimensions + d]!;
      out[i * SKETCH + s] = lengths[i]! > 0 ? (scale * sum) / lengths[i]! : 0;
    }
  }
  return out;
}

function sameLabels(membership: Uint8Array, classes: number, i: number, j: number): boolean {
  for (let k = 0; k < classes; k++) if (membership[i * classes + k] !== membership[j * classes + k]) return false;
  return true;
}
