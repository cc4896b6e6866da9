/**
 * Inverse transforms of VP8 (RFC 6386, section 14.3 and 14.4; libwebp src/dsp/dec.c). All add to the prediction that
 * is already in the frame buffer, whose element type clamps to 0..255.
 */

/** sqrt(2) * cos(pi / 8) - 1, in 1/65536. */
const COS_PI8_SQRT2_MINUS_1 = 20091;

/** sqrt(2) * sin(pi / 8), in 1/65536. */
const SIN_PI8_SQRT2 = 35468;

/** `x * 85627 >> 16`. */
function mul1(x: number): number {
  return (Math.imul(x, COS_PI8_SQRT2_MINUS_1) >> 16) + x;
}

/** `x * 35468 >> 16`. */
function mul2(x: number): number {
  return Math.imul(x, SIN_PI8_SQRT2) >> 16;
}

/** Four-by-four inverse DCT of `coeffs[at .. at + 15]`, added at `dst[to]`. */
export function addIdct(coeffs: Int16Array, at: number, dst: Uint8ClampedArray, to: number, stride: number): void {
  verticalPass(coeffs, at, 0);
  verticalPass(coeffs, at + 1, 4);
  verticalPass(coeffs, at + 2, 8);
  verticalPass(coeffs, at + 3, 12);
  for (let i = 0, o = to; i < 4; i++, o += stride) {
    const dc = columns[i]! + 4;
    const t1 = columns[i + 4]!;
    const t2 = columns[i + 8]!;
    const t3 = columns[i + 12]!;
    const a = dc + t2;
    const b = dc - t2;
    const c = mul2(t1) - mul1(t3);
    const d = mul1(t1) + mul2(t3);
    dst[o] = dst[o]! + ((a + d) >> 3);
    dst[o + 1] = dst[o + 1]! + ((b + c) >> 3);
    dst[o + 2] = dst[o + 2]! + ((b - c) >> 3);
    dst[o + 3] = dst[o + 3]! + ((a - d) >> 3);
  }
}

/** Result of the vertical pass, transposed. */
const columns = new Int32Array(16);

function verticalPass(coeffs: Int16Array, at: number, to: number): void {
  const i0 = coeffs[at]!;
  const i4 = coeffs[at + 4]!;
  const i8 = coeffs[at + 8]!;
  const i12 = coeffs[at + 12]!;
  const a = i0 + i8;
  const b = i0 - i8;
  const c = mul2(i4) - mul1(i12);
  const d = mul1(i4) + mul2(i12);
  columns[to] = a + d;
  columns[to + 1] = b + c;
  columns[to + 2] = b - c;
  columns[to + 3] = a - d;
}

/**
 * The same in wrapping 16-bit arithmetic, as the SIMD code computes it that most builds of libwebp run
 * (src/dsp/dec_sse2.c). Differs from `addIdct` for coefficients that no encoder writes.
 */
export function addIdct16(coeffs: Int16Array, at: number, dst: Uint8ClampedArray, to: number, stride: number): void {
  for (let i = 0; i < 4; i++) {
    const i4 = coeffs[at + i + 4]!;
    const i12 = coeffs[at + i + 12]!;
    const a = coeffs[at + i]! + coeffs[at + i + 8]!;
    const b = coeffs[at + i]! - coeffs[at + i + 8]!;
    const c = mul2(i4) - mul1(i12);
    const d = mul1(i4) + mul2(i12);
    columns[i * 4] = wrap16(a + d);
    columns[i * 4 + 1] = wrap16(b + c);
    columns[i * 4 + 2] = wrap16(b - c);
    columns[i * 4 + 3] = wrap16(a - d);
  }
  for (let i = 0, o = to; i < 4; i++, o += stride) {
    const dc = columns[i]! + 4;
    const t1 = columns[i + 4]!;
    const t2 = columns[i + 8]!;
    const t3 = columns[i + 12]!;
    const c = mul2(t1) - mul1(t3);
    const d = mul1(t1) + mul2(t3);
    dst[o] = dst[o]! + (wrap16(dc + t2 + d) >> 3);
    dst[o + 1] = dst[o + 1]! + (wrap16(dc - t2 + c) >> 3);
    dst[o + 2] = dst[o + 2]! + (wrap16(dc - t2 - c) >> 3);
    dst[o + 3] = dst[o + 3]! + (wrap16(dc + t2 - d) >> 3);
  }
}

function wrap16(x: number): number {
  return (x << 16) >> 16;
}

/** The same where only the first three coefficients in coding order are set: 0, 1 and 4. */
export function addIdctFirstThree(
  coeffs: Int16Array,
  at: number,
  dst: Uint8ClampedArray,
  to: number,
  stride: number,
): void {
  const dc = coeffs[at]! + 4;
  const c1 = mul2(coeffs[at + 1]!);
  const d1 = mul1(coeffs[at + 1]!);
  const c4 = mul2(coeffs[at + 4]!);
  const d4 = mul1(coeffs[at + 4]!);
  addRow(dst, to, dc + d4, d1, c1);
  addRow(dst, to + stride, dc + c4, d1, c1);
  addRow(dst, to + 2 * stride, dc - c4, d1, c1);
  addRow(dst, to + 3 * stride, dc - d4, d1, c1);
}

function addRow(dst: Uint8ClampedArray, to: number, dc: number, d: number, c: number): void {
  dst[to] = dst[to]! + ((dc + d) >> 3);
  dst[to + 1] = dst[to + 1]! + ((dc + c) >> 3);
  dst[to + 2] = dst[to + 2]! + ((dc - c) >> 3);
  dst[to + 3] = dst[to + 3]! + ((dc - d) >> 3);
}

/** The same where only the DC coefficient is set. */
export function addDc(dcCoeff: number, dst: Uint8ClampedArray, to: number, stride: number): void {
  const dc = (dcCoeff + 4) >> 3;
  for (let y = 0, o = to; y < 4; y++, o += stride) {
    dst[o] = dst[o]! + dc;
    dst[o + 1] = dst[o + 1]! + dc;
    dst[o + 2] = dst[o + 2]! + dc;
    dst[o + 3] = dst[o + 3]! + dc;
  }
}

/**
 * Inverse Walsh-Hadamard transform of the Y2 block at `coeffs[at]`: `coeffs[16 * i]` gets the DC of luma block `i`.
 */
export function inverseWalshHadamard(coeffs: Int16Array, at: number): void {
  for (let i = 0; i < 4; i++) {
    const y0 = coeffs[at + i]!;
    const y4 = coeffs[at + 4 + i]!;
    const y8 = coeffs[at + 8 + i]!;
    const y12 = coeffs[at + 12 + i]!;
    const a0 = y0 + y12;
    const a1 = y4 + y8;
    const a2 = y4 - y8;
    const a3 = y0 - y12;
    columns[i] = a0 + a1;
    columns[8 + i] = a0 - a1;
    columns[4 + i] = a3 + a2;
    columns[12 + i] = a3 - a2;
  }
  for (let i = 0; i < 4; i++) {
    const t = i * 4;
    const dc = columns[t]! + 3;
    const a0 = dc + columns[t + 3]!;
    const a1 = columns[t + 1]! + columns[t + 2]!;
    const a2 = columns[t + 1]! - columns[t + 2]!;
    const a3 = dc - columns[t + 3]!;
    const o = i * 64;
    coeffs[o] = (a0 + a1) >> 3;
    coeffs[o + 16] = (a3 + a2) >> 3;
    coeffs[o + 32] = (a0 - a1) >> 3;
    coeffs[o + 48] = (a3 - a2) >> 3;
  }
}
