/**
 * Upsampling of subsampled components, one output row at a time.
 *
 * Bit-exact with libjpeg-turbo jdsample.c: the triangle filters ("fancy upsampling") with their alternating rounding, and
 * plain repetition for every other whole ratio.
 */

/**
 * Doubles the columns with the triangle filter (`h2v1_fancy_upsample`).
 *
 * @param width input samples, at least 3
 * @param out receives `2 * width` samples
 */
export function upsampleH2V1(input: Uint8ClampedArray, at: number, width: number, out: Uint8ClampedArray): void {
  let left = input[at]!;
  let here = left;
  let right = input[at + 1]!;
  out[0] = here;
  out[1] = (here * 3 + right + 2) >> 2;
  const last = width - 1;
  for (let i = 1, o = 2; i < last; i++, o += 2) {
    left = here;
    here = right;
    right = input[at + i + 1]!;
    out[o] = (here * 3 + left + 1) >> 2;
    out[o + 1] = (here * 3 + right + 2) >> 2;
  }
  out[2 * last] = (right * 3 + here + 1) >> 2;
  out[2 * last + 1] = right;
}

/**
 * One of the two rows between which a row lies, with the triangle filter (`h1v2_fancy_upsample`).
 *
 * @param near start of the nearer input row
 * @param far start of the further one
 * @param lower true for the second of the two output rows that the nearer row makes
 */
export function upsampleH1V2(
  input: Uint8ClampedArray,
  near: number,
  far: number,
  lower: boolean,
  width: number,
  out: Uint8ClampedArray,
): void {
  const bias = lower ? 2 : 1;
  for (let i = 0; i < width; i++) out[i] = (input[near + i]! * 3 + input[far + i]! + bias) >> 2;
}

/**
 * Doubles the columns of one of two output rows, triangle filter both ways (`h2v2_fancy_upsample`).
 *
 * @param near start of the nearer input row
 * @param far start of the further one
 * @param width input samples, at least 3
 * @param out receives `2 * width` samples
 */
export function upsampleH2V2(
  input: Uint8ClampedArray,
  near: number,
  far: number,
  width: number,
  out: Uint8ClampedArray,
): void {
  let left = 0;
  let here = input[near]! * 3 + input[far]!;
  let right = input[near + 1]! * 3 + input[far + 1]!;
  out[0] = (here * 4 + 8) >> 4;
  out[1] = (here * 3 + right + 7) >> 4;
  const last = width - 1;
  for (let i = 1, o = 2; i < last; i++, o += 2) {
    left = here;
    here = right;
    right = input[near + i + 1]! * 3 + input[far + i + 1]!;
    out[o] = (here * 3 + left + 8) >> 4;
    out[o + 1] = (here * 3 + right + 7) >> 4;
  }
  out[2 * last] = (right * 3 + here + 8) >> 4;
  out[2 * last + 1] = (right * 4 + 7) >> 4;
}

/**
 * Repeats every sample `times` times (`int_upsample`, `h2v1_upsample`, `h2v2_upsample`).
 *
 * @param width output samples wanted
 */
export function upsampleRepeat(
  input: Uint8ClampedArray,
  at: number,
  times: number,
  width: number,
  out: Uint8ClampedArray,
): void {
  let from = at;
  for (let o = 0; o < width; o += times) {
    const sample = input[from++]!;
    for (let i = 0; i < times; i++) out[o + i] = sample;
  }
}
