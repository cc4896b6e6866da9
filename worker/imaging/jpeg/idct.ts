/**
 * The 8x8 inverse DCT: the accurate integer method of Loeffler, Ligtenberg and Moschytz, 13-bit constants.
 *
 * Bit-exact with libjpeg-turbo's `jpeg_idct_islow` (jidctint.c) on every block whose dequantized coefficients add up to
 * at most `SAFE_MAGNITUDE`; beyond that its SIMD code (jidctint-avx2.asm) wraps and saturates at 16 bits: `idct8x8Saturating`.
 * Blocks are `Int16Array`, dequantized, in natural order.
 */

/** Up to this sum of absolute values no intermediate of the transform leaves 16 bits: 4 * sqrt(2) * cos(pi/16) * sum < 2^15. */
export const SAFE_MAGNITUDE = 5800;

/** Bits of a natural position that are set only in the columns, or rows, 4 to 7. */
export const BEYOND_4X4 = 0b100100;

const F_0_298 = 2446;
const F_0_390 = 3196;
const F_0_541 = 4433;
const F_0_765 = 6270;
const F_0_899 = 7373;
const F_1_175 = 9633;
const F_1_501 = 12299;
const F_1_847 = 15137;
const F_1_961 = 16069;
const F_2_053 = 16819;
const F_2_562 = 20995;
const F_3_072 = 25172;

const workspace = new Int32Array(64);

/** Fills the `size` x `size` samples of a block that has nothing but a DC coefficient (dequantized). */
export function idctFlat(dc: number, size: number, plane: Uint8ClampedArray, at: number, stride: number): void {
  // ((dc << 2) + 16) >> 5, with the 16-bit wrap of the SIMD code.
  const value = ((((dc << 18) >> 16) + 16) >> 5) + 128;
  if (size === 8) {
    for (let row = 0, p = at; row < 8; row++, p += stride) {
      plane[p] = value;
      plane[p + 1] = value;
      plane[p + 2] = value;
      plane[p + 3] = value;
      plane[p + 4] = value;
      plane[p + 5] = value;
      plane[p + 6] = value;
      plane[p + 7] = value;
    }
    return;
  }
  for (let row = 0, p = at; row < size; row++, p += stride) {
    for (let column = 0; column < size; column++) plane[p + column] = value;
  }
}

/** Transforms a block whose coefficients all lie in the upper left 4x4 corner; the others are not read. */
export function idct8x8Corner(
  block: Int16Array,
  b: number,
  plane: Uint8ClampedArray,
  at: number,
  stride: number,
): void {
  for (let column = 0; column < 4; column++) {
    const c = b + column;
    const x0 = block[c]! << 13;
    const x1 = block[c + 8]!;
    const x2 = block[c + 16]!;
    const x3 = block[c + 24]!;
    if ((x1 | x2 | x3) === 0) {
      const flat = x0 >> 11;
      workspace[column] = flat;
      workspace[column + 8] = flat;
      workspace[column + 16] = flat;
      workspace[column + 24] = flat;
      workspace[column + 32] = flat;
      workspace[column + 40] = flat;
      workspace[column + 48] = flat;
      workspace[column + 56] = flat;
      continue;
    }
    const t2 = Math.imul(x2, F_0_541);
    const t3 = Math.imul(x2, F_0_541 + F_0_765);
    const e0 = x0 + t3 + 1024;
    const e1 = x0 + t2 + 1024;
    const e2 = x0 - t2 + 1024;
    const e3 = x0 - t3 + 1024;
    const z5 = Math.imul(x3 + x1, F_1_175);
    const z3 = z5 - Math.imul(x3, F_1_961);
    const z4 = z5 - Math.imul(x1, F_0_390);
    const z1 = Math.imul(x1, -F_0_899);
    const z2 = Math.imul(x3, -F_2_562);
    const o0 = z1 + z3;
    const o1 = z2 + z4;
    const o2 = Math.imul(x3, F_3_072) + z2 + z3;
    const o3 = Math.imul(x1, F_1_501) + z1 + z4;
    workspace[column] = (e0 + o3) >> 11;
    workspace[column + 56] = (e0 - o3) >> 11;
    workspace[column + 8] = (e1 + o2) >> 11;
    workspace[column + 48] = (e1 - o2) >> 11;
    workspace[column + 16] = (e2 + o1) >> 11;
    workspace[column + 40] = (e2 - o1) >> 11;
    workspace[column + 24] = (e3 + o0) >> 11;
    workspace[column + 32] = (e3 - o0) >> 11;
  }
  let p = at;
  for (let w = 0; w < 64; w += 8, p += stride) {
    // 128 (the level shift) and the rounding go in with the even part.
    const x0 = (workspace[w]! << 13) + ROUND_AND_CENTER;
    const x1 = workspace[w + 1]!;
    const x2 = workspace[w + 2]!;
    const x3 = workspace[w + 3]!;
    const t2 = Math.imul(x2, F_0_541);
    const t3 = Math.imul(x2, F_0_541 + F_0_765);
    const e0 = x0 + t3;
    const e1 = x0 + t2;
    const e2 = x0 - t2;
    const e3 = x0 - t3;
    const z5 = Math.imul(x3 + x1, F_1_175);
    const z3 = z5 - Math.imul(x3, F_1_961);
    const z4 = z5 - Math.imul(x1, F_0_390);
    const z1 = Math.imul(x1, -F_0_899);
    const z2 = Math.imul(x3, -F_2_562);
    const o0 = z1 + z3;
    const o1 = z2 + z4;
    const o2 = Math.imul(x3, F_3_072) + z2 + z3;
    const o3 = Math.imul(x1, F_1_501) + z1 + z4;
    plane[p] = (e0 + o3) >> 18;
    plane[p + 7] = (e0 - o3) >> 18;
    plane[p + 1] = (e1 + o2) >> 18;
    plane[p + 6] = (e1 - o2) >> 18;
    plane[p + 2] = (e2 + o1) >> 18;
    plane[p + 5] = (e2 - o1) >> 18;
    plane[p + 3] = (e3 + o0) >> 18;
    plane[p + 4] = (e3 - o0) >> 18;
  }
}

/** Half of the last step's divisor, and 128 times that divisor. */
const ROUND_AND_CENTER = (1 << 17) + (128 << 18);

/** Transforms a block with coefficients anywhere. */
export function idct8x8(block: Int16Array, b: number, plane: Uint8ClampedArray, at: number, stride: number): void {
  for (let column = 0; column < 8; column++) {
    const c = b + column;
    const x0 = block[c]!;
    const x1 = block[c + 8]!;
    const x2 = block[c + 16]!;
    const x3 = block[c + 24]!;
    const x4 = block[c + 32]!;
    const x5 = block[c + 40]!;
    const x6 = block[c + 48]!;
    const x7 = block[c + 56]!;
    if ((x1 | x2 | x3 | x4 | x5 | x6 | x7) === 0) {
      const flat = x0 << 2;
      workspace[column] = flat;
      workspace[column + 8] = flat;
      workspace[column + 16] = flat;
      workspace[column + 24] = flat;
      workspace[column + 32] = flat;
      workspace[column + 40] = flat;
      workspace[column + 48] = flat;
      workspace[column + 56] = flat;
      continue;
    }
    const z = Math.imul(x2 + x6, F_0_541);
    const t2 = z - Math.imul(x6, F_1_847);
    const t3 = z + Math.imul(x2, F_0_765);
    const t0 = ((x0 + x4) << 13) + 1024;
    const t1 = ((x0 - x4) << 13) + 1024;
    const e0 = t0 + t3;
    const e1 = t1 + t2;
    const e2 = t1 - t2;
    const e3 = t0 - t3;
    const s3 = x7 + x3;
    const s4 = x5 + x1;
    const z5 = Math.imul(s3 + s4, F_1_175);
    const z3 = z5 - Math.imul(s3, F_1_961);
    const z4 = z5 - Math.imul(s4, F_0_390);
    const z1 = Math.imul(x7 + x1, -F_0_899);
    const z2 = Math.imul(x5 + x3, -F_2_562);
    const o0 = Math.imul(x7, F_0_298) + z1 + z3;
    const o1 = Math.imul(x5, F_2_053) + z2 + z4;
    const o2 = Math.imul(x3, F_3_072) + z2 + z3;
    const o3 = Math.imul(x1, F_1_501) + z1 + z4;
    workspace[column] = (e0 + o3) >> 11;
    workspace[column + 56] = (e0 - o3) >> 11;
    workspace[column + 8] = (e1 + o2) >> 11;
    workspace[column + 48] = (e1 - o2) >> 11;
    workspace[column + 16] = (e2 + o1) >> 11;
    workspace[column + 40] = (e2 - o1) >> 11;
    workspace[column + 24] = (e3 + o0) >> 11;
    workspace[column + 32] = (e3 - o0) >> 11;
  }
  let p = at;
  for (let w = 0; w < 64; w += 8, p += stride) {
    const x0 = workspace[w]!;
    const x1 = workspace[w + 1]!;
    const x2 = workspace[w + 2]!;
    const x3 = workspace[w + 3]!;
    const x4 = workspace[w + 4]!;
    const x5 = workspace[w + 5]!;
    const x6 = workspace[w + 6]!;
    const x7 = workspace[w + 7]!;
    const z = Math.imul(x2 + x6, F_0_541);
    const t2 = z - Math.imul(x6, F_1_847);
    const t3 = z + Math.imul(x2, F_0_765);
    const t0 = ((x0 + x4) << 13) + ROUND_AND_CENTER;
    const t1 = ((x0 - x4) << 13) + ROUND_AND_CENTER;
    const e0 = t0 + t3;
    const e1 = t1 + t2;
    const e2 = t1 - t2;
    const e3 = t0 - t3;
    const s3 = x7 + x3;
    const s4 = x5 + x1;
    const z5 = Math.imul(s3 + s4, F_1_175);
    const z3 = z5 - Math.imul(s3, F_1_961);
    const z4 = z5 - Math.imul(s4, F_0_390);
    const z1 = Math.imul(x7 + x1, -F_0_899);
    const z2 = Math.imul(x5 + x3, -F_2_562);
    const o0 = Math.imul(x7, F_0_298) + z1 + z3;
    const o1 = Math.imul(x5, F_2_053) + z2 + z4;
    const o2 = Math.imul(x3, F_3_072) + z2 + z3;
    const o3 = Math.imul(x1, F_1_501) + z1 + z4;
    plane[p] = (e0 + o3) >> 18;
    plane[p + 7] = (e0 - o3) >> 18;
    plane[p + 1] = (e1 + o2) >> 18;
    plane[p + 6] = (e1 - o2) >> 18;
    plane[p + 2] = (e2 + o1) >> 18;
    plane[p + 5] = (e2 - o1) >> 18;
    plane[p + 3] = (e3 + o0) >> 18;
    plane[p + 4] = (e3 - o0) >> 18;
  }
}
