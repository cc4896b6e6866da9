/**
 * The reduced inverse DCTs: 4x4, 2x2 or 1x1 samples from an 8x8 block.
 *
 * Bit-exact with libjpeg-turbo's `jpeg_idct_4x4`, `jpeg_idct_2x2`, `jpeg_idct_1x1` (jidctred.c) within `SAFE_MAGNITUDE`
 * (idct.ts); beyond it use `idctSaturating`. Blocks are `Int16Array`, dequantized, in natural order.
 */

const F_0_211 = 1730;
const F_0_509 = 4176;
const F_0_601 = 4926;
const F_0_720 = 5906;
const F_0_765 = 6270;
const F_0_850 = 6967;
const F_0_899 = 7373;
const F_1_061 = 8697;
const F_1_272 = 10426;
const F_1_451 = 11893;
const F_1_847 = 15137;
const F_2_172 = 17799;
const F_2_562 = 20995;
const F_3_624 = 29692;

const workspace = new Int32Array(32);

/** 4x4 samples. Row and column 4 of the block are not read. */
export function idct4x4(block: Int16Array, b: number, plane: Uint8ClampedArray, at: number, stride: number): void {
  for (let column = 0; column < 8; column++) {
    if (column === 4) continue;
    const c = b + column;
    const x0 = block[c]!;
    const x1 = block[c + 8]!;
    const x2 = block[c + 16]!;
    const x3 = block[c + 24]!;
    const x5 = block[c + 40]!;
    const x6 = block[c + 48]!;
    const x7 = block[c + 56]!;
    if ((x1 | x2 | x3 | x5 | x6 | x7) === 0) {
      const flat = x0 << 2;
      workspace[column] = flat;
      workspace[column + 8] = flat;
      workspace[column + 16] = flat;
      workspace[column + 24] = flat;
      continue;
    }
    const t0 = (x0 << 14) + 2048;
    const t2 = Math.imul(x2, F_1_847) - Math.imul(x6, F_0_765);
    const o0 = Math.imul(x1, F_1_061) - Math.imul(x3, F_2_172) + Math.imul(x5, F_1_451) - Math.imul(x7, F_0_211);
    const o2 = Math.imul(x1, F_2_562) + Math.imul(x3, F_0_899) - Math.imul(x5, F_0_601) - Math.imul(x7, F_0_509);
    workspace[column] = (t0 + t2 + o2) >> 12;
    workspace[column + 24] = (t0 + t2 - o2) >> 12;
    workspace[column + 8] = (t0 - t2 + o0) >> 12;
    workspace[column + 16] = (t0 - t2 - o0) >> 12;
  }
  let p = at;
  for (let w = 0; w < 32; w += 8, p += stride) {
    const x1 = workspace[w + 1]!;
    const x3 = workspace[w + 3]!;
    const x5 = workspace[w + 5]!;
    const x7 = workspace[w + 7]!;
    // Rounding, and 128 (the level shift) times the divisor, go in with the even part.
    const t0 = (workspace[w]! << 14) + (1 << 18) + (128 << 19);
    const t2 = Math.imul(workspace[w + 2]!, F_1_847) - Math.imul(workspace[w + 6]!, F_0_765);
    const o0 = Math.imul(x1, F_1_061) - Math.imul(x3, F_2_172) + Math.imul(x5, F_1_451) - Math.imul(x7, F_0_211);
    const o2 = Math.imul(x1, F_2_562) + Math.imul(x3, F_0_899) - Math.imul(x5, F_0_601) - Math.imul(x7, F_0_509);
    plane[p] = (t0 + t2 + o2) >> 19;
    plane[p + 3] = (t0 + t2 - o2) >> 19;
    plane[p + 1] = (t0 - t2 + o0) >> 19;
    plane[p + 2] = (t0 - t2 - o0) >> 19;
  }
}

/** 4x4 samples of a block whose coefficients all lie in the upper left 4x4 corner; the others are not read. */
export function idct4x4Corner(
  block: Int16Array,
  b: number,
  plane: Uint8ClampedArray,
  at: number,
  stride: number,
): void {
  for (let column = 0; column < 4; column++) {
    const c = b + column;
    const x1 = block[c + 8]!;
    const x3 = block[c + 24]!;
    const t0 = (block[c]! << 14) + 2048;
    const t2 = Math.imul(block[c + 16]!, F_1_847);
    const o0 = Math.imul(x1, F_1_061) - Math.imul(x3, F_2_172);
    const o2 = Math.imul(x1, F_2_562) + Math.imul(x3, F_0_899);
    workspace[column] = (t0 + t2 + o2) >> 12;
    workspace[column + 24] = (t0 + t2 - o2) >> 12;
    workspace[column + 8] = (t0 - t2 + o0) >> 12;
    workspace[column + 16] = (t0 - t2 - o0) >> 12;
  }
  let p = at;
  for (let w = 0; w < 32; w += 8, p += stride) {
    const x1 = workspace[w + 1]!;
    const x3 = workspace[w + 3]!;
    const t0 = (workspace[w]! << 14) + (1 << 18) + (128 << 19);
    const t2 = Math.imul(workspace[w + 2]!, F_1_847);
    const o0 = Math.imul(x1, F_1_061) - Math.imul(x3, F_2_172);
    const o2 = Math.imul(x1, F_2_562) + Math.imul(x3, F_0_899);
    plane[p] = (t0 + t2 + o2) >> 19;
    plane[p + 3] = (t0 + t2 - o2) >> 19;
    plane[p + 1] = (t0 - t2 + o0) >> 19;
    plane[p + 2] = (t0 - t2 - o0) >> 19;
  }
}

/** 2x2 samples. Rows and columns 2, 4 and 6 of the block are not read. */
export function idct2x2(block: Int16Array, b: number, plane: Uint8ClampedArray, at: number, stride: number): void {
  // First pass: columns 0, 1, 3, 5 and 7, each to an upper and a lower value.
  const odd0 = oddPart(block[b + 8]!, block[b + 24]!, block[b + 40]!, block[b + 56]!);
  const odd1 = oddPart(block[b + 9]!, block[b + 25]!, block[b + 41]!, block[b + 57]!);
  const odd3 = oddPart(block[b + 11]!, block[b + 27]!, block[b + 43]!, block[b + 59]!);
  const odd5 = oddPart(block[b + 13]!, block[b + 29]!, block[b + 45]!, block[b + 61]!);
  const odd7 = oddPart(block[b + 15]!, block[b + 31]!, block[b + 47]!, block[b + 63]!);
  const even0 = (block[b]! << 15) + 4096;
  const even1 = (block[b + 1]! << 15) + 4096;
  const even3 = (block[b + 3]! << 15) + 4096;
  const even5 = (block[b + 5]! << 15) + 4096;
  const even7 = (block[b + 7]! << 15) + 4096;
  // Second pass. Rounding, and 128 (the level shift) times the divisor, go in with the even part.
  const round = (1 << 19) + (128 << 20);
  const evenTop = (((even0 + odd0) >> 13) << 15) + round;
  const evenBottom = (((even0 - odd0) >> 13) << 15) + round;
  const top = oddPart((even1 + odd1) >> 13, (even3 + odd3) >> 13, (even5 + odd5) >> 13, (even7 + odd7) >> 13);
  const bottom = oddPart((even1 - odd1) >> 13, (even3 - odd3) >> 13, (even5 - odd5) >> 13, (even7 - odd7) >> 13);
  plane[at] = (evenTop + top) >> 20;
  plane[at + 1] = (evenTop - top) >> 20;
  plane[at + stride] = (evenBottom + bottom) >> 20;
  plane[at + stride + 1] = (evenBottom - bottom) >> 20;
}

function oddPart(x1: number, x3: number, x5: number, x7: number): number {
  return Math.imul(x1, F_3_624) - Math.imul(x3, F_1_272) + Math.imul(x5, F_0_850) - Math.imul(x7, F_0_720);
}

/**
 * One sample: an eighth of the DC coefficient.
 *
 * @param dc the dequantized coefficient in 32 bits, not wrapped
 */
export function idct1x1(dc: number, plane: Uint8ClampedArray, at: number): void {
  // libjpeg limits the range with a table of 1024 entries: values far out wrap around (jdmaster.c).
  plane[at] = ((((dc + 4) >> 3) << 22) >> 22) + 128;
}
