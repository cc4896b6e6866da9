/** The matrix product of rows with rows: `C += A Bᵀ`. Both operands are read along their rows, so that nothing is packed. */

/** Sum of the two lanes. */
// @ts-ignore: decorator
@inline
export function across(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}

/** `C[i, j] += A[i] B[j]` for four rows of A and two of B. */
// @ts-ignore: decorator
@inline
function tile(a: usize, aStride: usize, b: usize, bStride: usize, depth: i32, c: usize, cStride: usize): void {
  const a1 = a + aStride;
  const a2 = a1 + aStride;
  const a3 = a2 + aStride;
  const b1 = b + bStride;
  let s00 = f64x2.splat(0);
  let s01 = f64x2.splat(0);
  let s10 = f64x2.splat(0);
  let s11 = f64x2.splat(0);
  let s20 = f64x2.splat(0);
  let s21 = f64x2.splat(0);
  let s30 = f64x2.splat(0);
  let s31 = f64x2.splat(0);
  const end: usize = (depth & ~1) << 3;
  for (let at: usize = 0; at < end; at += 16) {
    const x = v128.load(b + at);
    const y = v128.load(b1 + at);
    const p = v128.load(a + at);
    s00 = f64x2.add(s00, f64x2.mul(p, x));
    s01 = f64x2.add(s01, f64x2.mul(p, y));
    const q = v128.load(a1 + at);
    s10 = f64x2.add(s10, f64x2.mul(q, x));
    s11 = f64x2.add(s11, f64x2.mul(q, y));
    const r = v128.load(a2 + at);
    s20 = f64x2.add(s20, f64x2.mul(r, x));
    s21 = f64x2.add(s21, f64x2.mul(r, y));
    const s = v128.load(a3 + at);
    s30 = f64x2.add(s30, f64x2.mul(s, x));
    s31 = f64x2.add(s31, f64x2.mul(s, y));
  }
  let t0 = f64x2.splat(0);
  let t1 = f64x2.splat(0);
  let t2 = f64x2.splat(0);
  let t3 = f64x2.splat(0);
  if (depth & 1) {
    const last = f64x2.replace_lane(f64x2.splat(load<f64>(b + end)), 1, load<f64>(b1 + end));
    t0 = f64x2.mul(f64x2.splat(load<f64>(a + end)), last);
    t1 = f64x2.mul(f64x2.splat(load<f64>(a1 + end)), last);
    t2 = f64x2.mul(f64x2.splat(load<f64>(a2 + end)), last);
    t3 = f64x2.mul(f64x2.splat(load<f64>(a3 + end)), last);
  }
  addPair(c, s00, s01, t0);
  addPair(c + cStride, s10, s11, t1);
  addPair(c + (cStride << 1), s20, s21, t2);
  addPair(c + cStride + (cStride << 1), s30, s31, t3);
}

/** Adds the sums of two dot products to two neighbours of C. */
// @ts-ignore: decorator
@inline
function addPair(c: usize, first: v128, second: v128, last: v128): void {
  const low = v128.shuffle<f64>(first, second, 0, 2);
  const high = v128.shuffle<f64>(first, second, 1, 3);
  v128.store(c, f64x2.add(v128.load(c), f64x2.add(f64x2.add(low, high), last)));
}

/** The same for one row of each. */
function single(a: usize, b: usize, depth: i32, c: usize): void {
  let sums = f64x2.splat(0);
  const end: usize = (depth & ~1) << 3;
  for (let at: usize = 0; at < end; at += 16) {
    sums = f64x2.add(sums, f64x2.mul(v128.load(a + at), v128.load(b + at)));
  }
  let sum = across(sums);
  if (depth & 1) sum += load<f64>(a + end) * load<f64>(b + end);
  store<f64>(c, load<f64>(c) + sum);
}

/**
 * `C += A Bᵀ`.
 * @param a f64 [aRows, depth], rows `aStride` bytes apart.
 * @param b f64 [bRows, depth], rows `bStride` bytes apart.
 * @param c f64 [aRows, bRows], rows `cStride` bytes apart.
 * @param lower 1 where C is symmetric and its lower half is enough: entries above the diagonal may be written, too, or not.
 */
export function multiplyRows(
  a: usize,
  aStride: usize,
  aRows: i32,
  b: usize,
  bStride: usize,
  bRows: i32,
  depth: i32,
  c: usize,
  cStride: usize,
  lower: i32,
): void {
  const tiledA = aRows & ~3;
  const tiledB = bRows & ~1;
  for (let i = 0; i < tiledA; i += 4) {
    const rowA = a + i * aStride;
    const rowC = c + i * cStride;
    const columns = lower ? min(tiledB, i + 4) : tiledB;
    for (let j = 0; j < columns; j += 2) tile(rowA, aStride, b + j * bStride, bStride, depth, rowC + (j << 3), cStride);
  }
  if (tiledB < bRows && !lower) {
    for (let i = 0; i < tiledA; i++) {
      single(a + i * aStride, b + tiledB * bStride, depth, c + i * cStride + (tiledB << 3));
    }
  }
  for (let i = tiledA; i < aRows; i++) {
    const columns = lower ? min(bRows, i + 1) : bRows;
    for (let j = 0; j < columns; j++) single(a + i * aStride, b + j * bStride, depth, c + i * cStride + (j << 3));
  }
}
