/**
 * The inverse DCTs as libjpeg-turbo's x86-64 SIMD code computes them on coefficients that leave 16 bits.
 *
 * Only damaged files have such blocks, and what they look like is then decided by where that code wraps (16-bit products
 * and sums) and where it saturates (packing 32 to 16 bits after each pass). Rare, so plain rather than fast.
 * Source: libjpeg-turbo simd/x86_64 jidctint-avx2.asm and jidctred-sse2.asm. Constants as in jidctint.c and jidctred.c.
 */

const columnPass = new Int32Array(64);
const output = new Int32Array(8);
const input = new Int32Array(8);

/** Sign-extends the low 16 bits. */
function wrap16(value: number): number {
  return (value << 16) >> 16;
}

/** Packs with signed saturation to 16 bits (`packssdw`). */
function saturate16(value: number): number {
  return Math.max(-32768, Math.min(32767, value));
}

/**
 * Transforms one block into `size` x `size` samples.
 *
 * @param block 16-bit dequantized coefficients in natural order, from `b`
 * @param size 2, 4 or 8
 */
export function idctSaturating(
  block: Int16Array,
  b: number,
  size: number,
  plane: Uint8ClampedArray,
  at: number,
  stride: number,
): void {
  const pass = size === 8 ? pass8 : size === 4 ? pass4 : pass2;
  const firstShift = size === 8 ? 11 : size === 4 ? 12 : 13;
  const secondShift = size === 8 ? 18 : size === 4 ? 19 : 20;
  const flat = size !== 2 && onlyFirstRow(block, b, size);
  for (let column = 0; column < 8; column++) {
    if (flat) {
      // The shortcut of the SIMD code shifts without saturation.
      for (let row = 0; row < size; row++) columnPass[row * 8 + column] = wrap16(block[b + column]! << 2);
      continue;
    }
    for (let row = 0; row < 8; row++) input[row] = block[b + row * 8 + column]!;
    pass(firstShift);
    for (let row = 0; row < size; row++) {
      // The 2x2 code keeps its first column in 32 bits.
      const keep = size === 2 && column === 0;
      columnPass[row * 8 + column] = keep ? output[row]! : saturate16(output[row]!);
    }
  }
  for (let row = 0, p = at; row < size; row++, p += stride) {
    for (let column = 0; column < 8; column++) input[column] = columnPass[row * 8 + column]!;
    pass(secondShift);
    for (let column = 0; column < size; column++) plane[p + column] = saturate16(output[column]!) + 128;
  }
}

/** True where rows 1 to 7 (of those that the transform reads) hold no coefficient. */
function onlyFirstRow(block: Int16Array, b: number, size: number): boolean {
  for (let i = 8; i < 64; i++) {
    if (block[b + i] !== 0 && (size === 8 || i >> 3 !== 4)) return false;
  }
  return true;
}

/** One 8-point pass: `input` to `output`, rounded and shifted. */
function pass8(shift: number): void {
  const x0 = input[0]!;
  const x1 = input[1]!;
  const x2 = input[2]!;
  const x3 = input[3]!;
  const x4 = input[4]!;
  const x5 = input[5]!;
  const x6 = input[6]!;
  const x7 = input[7]!;
  const t0 = wrap16(x0 + x4) << 13;
  const t1 = wrap16(x0 - x4) << 13;
  const t2 = (Math.imul(x2, 4433) + Math.imul(x6, 4433 - 15137)) | 0;
  const t3 = (Math.imul(x2, 4433 + 6270) + Math.imul(x6, 4433)) | 0;
  const s3 = wrap16(x7 + x3);
  const s4 = wrap16(x5 + x1);
  const z3 = (Math.imul(s3, 9633 - 16069) + Math.imul(s4, 9633)) | 0;
  const z4 = (Math.imul(s3, 9633) + Math.imul(s4, 9633 - 3196)) | 0;
  const o0 = (Math.imul(x7, 2446 - 7373) + Math.imul(x1, -7373) + z3) | 0;
  const o1 = (Math.imul(x5, 16819 - 20995) + Math.imul(x3, -20995) + z4) | 0;
  const o2 = (Math.imul(x5, -20995) + Math.imul(x3, 25172 - 20995) + z3) | 0;
  const o3 = (Math.imul(x7, -7373) + Math.imul(x1, 12299 - 7373) + z4) | 0;
  const round = 1 << (shift - 1);
  output[0] = (t0 + t3 + o3 + round) >> shift;
  output[7] = (t0 + t3 - o3 + round) >> shift;
  output[1] = (t1 + t2 + o2 + round) >> shift;
  output[6] = (t1 + t2 - o2 + round) >> shift;
  output[2] = (t1 - t2 + o1 + round) >> shift;
  output[5] = (t1 - t2 - o1 + round) >> shift;
  output[3] = (t0 - t3 + o0 + round) >> shift;
  output[4] = (t0 - t3 - o0 + round) >> shift;
}

/** One 8-to-4-point pass. */
function pass4(shift: number): void {
  const x0 = input[0]!;
  const x1 = input[1]!;
  const x2 = input[2]!;
  const x3 = input[3]!;
  const x5 = input[5]!;
  const x6 = input[6]!;
  const x7 = input[7]!;
  const t0 = wrap16(x0) << 14;
  const t2 = (Math.imul(x2, 15137) + Math.imul(x6, -6270)) | 0;
  const o0 = (Math.imul(x1, 8697) + Math.imul(x3, -17799) + Math.imul(x5, 11893) + Math.imul(x7, -1730)) | 0;
  const o2 = (Math.imul(x1, 20995) + Math.imul(x3, 7373) + Math.imul(x5, -4926) + Math.imul(x7, -4176)) | 0;
  const round = 1 << (shift - 1);
  output[0] = (t0 + t2 + o2 + round) >> shift;
  output[3] = (t0 + t2 - o2 + round) >> shift;
  output[1] = (t0 - t2 + o0 + round) >> shift;
  output[2] = (t0 - t2 - o0 + round) >> shift;
}

/** One 8-to-2-point pass. */
function pass2(shift: number): void {
  const x0 = input[0]!;
  const x1 = input[1]!;
  const x3 = input[3]!;
  const x5 = input[5]!;
  const x7 = input[7]!;
  const t0 = x0 << 15;
  const odd = (Math.imul(x1, 29692) + Math.imul(x3, -10426) + Math.imul(x5, 6967) + Math.imul(x7, -5906)) | 0;
  const round = 1 << (shift - 1);
  output[0] = (t0 + odd + round) >> shift;
  output[1] = (t0 - odd + round) >> shift;
}
