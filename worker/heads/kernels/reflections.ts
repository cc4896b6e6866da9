/**
 * Rows times Q and Qᵀ, Q the product of a tridiagonal form's reflections. Reflections are applied in pairs to four rows at a time:
 * two passes over the rows do the work of four, and each load of a reflection serves four rows.
 */
import { across } from './product';

/** Reflections that are applied to a group of rows before the next: their vectors stay in the second-level cache. */
const CHUNK: i32 = 16;

/** Rows between two chunks: they stay there, too. */
const ROW_BLOCK: i32 = 64;

/** `v_k v_(k+1)`. */
function innerProduct(v: usize, size: i32, k: i32): f64 {
  const first = v + ((k * size) << 3);
  const second = first + (size << 3);
  const end: usize = size << 3;
  let sums = f64x2.splat(0);
  let at: usize = (k + 2) << 3;
  for (; at + 16 <= end; at += 16) {
    sums = f64x2.add(sums, f64x2.mul(v128.load(first + at), v128.load(second + at)));
  }
  let sum = across(sums);
  if (at < end) sum += load<f64>(first + at) * load<f64>(second + at);
  return sum;
}

/**
 * Reflections k and k + 1 on four rows. A row z becomes `z - a v_k - b v_(k+1)`.
 * @param inner `v_k v_(k+1)`.
 * @param back 1: reflection k + 1 comes first.
 */
function reflectPair(
  v: usize,
  size: i32,
  k: i32,
  f1: f64,
  f2: f64,
  inner: f64,
  back: i32,
  r0: usize,
  r1: usize,
  r2: usize,
  r3: usize,
): void {
  const first = v + ((k * size) << 3);
  const second = first + (size << 3);
  const end: usize = size << 3;
  const start: usize = (k + 1) << 3;
  let p0 = f64x2.splat(0);
  let p1 = f64x2.splat(0);
  let p2 = f64x2.splat(0);
  let p3 = f64x2.splat(0);
  let q0 = f64x2.splat(0);
  let q1 = f64x2.splat(0);
  let q2 = f64x2.splat(0);
  let q3 = f64x2.splat(0);
  let at = start + 8;
  for (; at + 16 <= end; at += 16) {
    const x = v128.load(first + at);
    const y = v128.load(second + at);
    const z0 = v128.load(r0 + at);
    p0 = f64x2.add(p0, f64x2.mul(x, z0));
    q0 = f64x2.add(q0, f64x2.mul(y, z0));
    const z1 = v128.load(r1 + at);
    p1 = f64x2.add(p1, f64x2.mul(x, z1));
    q1 = f64x2.add(q1, f64x2.mul(y, z1));
    const z2 = v128.load(r2 + at);
    p2 = f64x2.add(p2, f64x2.mul(x, z2));
    q2 = f64x2.add(q2, f64x2.mul(y, z2));
    const z3 = v128.load(r3 + at);
    p3 = f64x2.add(p3, f64x2.mul(x, z3));
    q3 = f64x2.add(q3, f64x2.mul(y, z3));
  }
  const hasLast = at < end;
  const lastX = hasLast ? load<f64>(first + at) : 0;
  const lastY = hasLast ? load<f64>(second + at) : 0;
  const l0 = hasLast ? load<f64>(r0 + at) : 0;
  const l1 = hasLast ? load<f64>(r1 + at) : 0;
  const l2 = hasLast ? load<f64>(r2 + at) : 0;
  const l3 = hasLast ? load<f64>(r3 + at) : 0;
  // The first entry of v_k is 1, and v_(k+1) has none there.
  const h0 = load<f64>(r0 + start);
  const h1 = load<f64>(r1 + start);
  const h2 = load<f64>(r2 + start);
  const h3 = load<f64>(r3 + start);
  let a0 = f1 * (across(p0) + h0 + lastX * l0);
  let a1 = f1 * (across(p1) + h1 + lastX * l1);
  let a2 = f1 * (across(p2) + h2 + lastX * l2);
  let a3 = f1 * (across(p3) + h3 + lastX * l3);
  let b0 = f2 * (across(q0) + lastY * l0);
  let b1 = f2 * (across(q1) + lastY * l1);
  let b2 = f2 * (across(q2) + lastY * l2);
  let b3 = f2 * (across(q3) + lastY * l3);
  if (back) {
    a0 -= f1 * inner * b0;
    a1 -= f1 * inner * b1;
    a2 -= f1 * inner * b2;
    a3 -= f1 * inner * b3;
  } else {
    b0 -= f2 * inner * a0;
    b1 -= f2 * inner * a1;
    b2 -= f2 * inner * a2;
    b3 -= f2 * inner * a3;
  }
  const sa0 = f64x2.splat(a0);
  const sa1 = f64x2.splat(a1);
  const sa2 = f64x2.splat(a2);
  const sa3 = f64x2.splat(a3);
  const sb0 = f64x2.splat(b0);
  const sb1 = f64x2.splat(b1);
  const sb2 = f64x2.splat(b2);
  const sb3 = f64x2.splat(b3);
  store<f64>(r0 + start, h0 - a0);
  store<f64>(r1 + start, h1 - a1);
  store<f64>(r2 + start, h2 - a2);
  store<f64>(r3 + start, h3 - a3);
  for (at = start + 8; at + 16 <= end; at += 16) {
    const x = v128.load(first + at);
    const y = v128.load(second + at);
    v128.store(r0 + at, f64x2.sub(v128.load(r0 + at), f64x2.add(f64x2.mul(sa0, x), f64x2.mul(sb0, y))));
    v128.store(r1 + at, f64x2.sub(v128.load(r1 + at), f64x2.add(f64x2.mul(sa1, x), f64x2.mul(sb1, y))));
    v128.store(r2 + at, f64x2.sub(v128.load(r2 + at), f64x2.add(f64x2.mul(sa2, x), f64x2.mul(sb2, y))));
    v128.store(r3 + at, f64x2.sub(v128.load(r3 + at), f64x2.add(f64x2.mul(sa3, x), f64x2.mul(sb3, y))));
  }
  if (hasLast) {
    store<f64>(r0 + at, l0 - (a0 * lastX + b0 * lastY));
    store<f64>(r1 + at, l1 - (a1 * lastX + b1 * lastY));
    store<f64>(r2 + at, l2 - (a2 * lastX + b2 * lastY));
    store<f64>(r3 + at, l3 - (a3 * lastX + b3 * lastY));
  }
}

/** Reflection k on one row. */
function reflectOne(v: usize, size: i32, k: i32, factor: f64, row: usize): void {
  const vector = v + ((k * size) << 3);
  let sum: f64 = 0;
  for (let j = k + 1; j < size; j++) sum += load<f64>(vector + (j << 3)) * load<f64>(row + (j << 3));
  sum *= factor;
  for (let j = k + 1; j < size; j++) {
    store<f64>(row + (j << 3), load<f64>(row + (j << 3)) - sum * load<f64>(vector + (j << 3)));
  }
}

/** Reflections `from` up to `to`, in either order, on some rows. `inner`: of the pairs that begin at even k. */
function reflectChunk(
  v: usize,
  factors: usize,
  inner: usize,
  size: i32,
  from: i32,
  to: i32,
  back: i32,
  rows: usize,
  count: i32,
): void {
  const stride: usize = size << 3;
  for (let r = 0; r + 4 <= count; r += 4) {
    const r0 = rows + r * stride;
    const r1 = r0 + stride;
    const r2 = r1 + stride;
    const r3 = r2 + stride;
    for (let step = from; step < to; step += 2) {
      const k = back ? from + to - 2 - step : step;
      const f1 = load<f64>(factors + (k << 3));
      const f2 = load<f64>(factors + (k << 3), 8);
      reflectPair(v, size, k, f1, f2, load<f64>(inner + (k << 3)), back, r0, r1, r2, r3);
    }
  }
  for (let r = count & ~3; r < count; r++) {
    for (let step = from; step < to; step++) {
      const k = back ? from + to - 1 - step : step;
      reflectOne(v, size, k, load<f64>(factors + (k << 3)), rows + r * stride);
    }
  }
}

/** Every reflection, in either order. */
function reflectAll(
  v: usize,
  factors: usize,
  inner: usize,
  size: i32,
  back: i32,
  rows: usize,
  count: i32,
): void {
  // Reflection `size - 1` is none: its factor is 0, and its vector is the row behind the last but one.
  const paired = size & ~1;
  const stride: usize = size << 3;
  for (let k = 0; k < paired; k += 2) store<f64>(inner + (k << 3), innerProduct(v, size, k));
  for (let block = 0; block < count; block += ROW_BLOCK) {
    const target = rows + block * stride;
    const size_ = min(ROW_BLOCK, count - block);
    if (back) {
      for (let from = (paired - 1) & ~(CHUNK - 1); from >= 0; from -= CHUNK) {
        reflectChunk(v, factors, inner, size, from, min(from + CHUNK, paired), 1, target, size_);
      }
    } else {
      for (let from = 0; from < paired; from += CHUNK) {
        reflectChunk(v, factors, inner, size, from, min(from + CHUNK, paired), 0, target, size_);
      }
    }
  }
}

/**
 * `rows Q` in place: every row `z` becomes `Qᵀ z`.
 * @param v the matrix that `tridiagonalize` left: f64 [size, size].
 * @param factors f64 [size].
 * @param inner f64 [size], to work in.
 * @param rows f64 [count, size].
 */
export function reflectRows(v: usize, factors: usize, inner: usize, size: i32, rows: usize, count: i32): void {
  reflectAll(v, factors, inner, size, 0, rows, count);
}

/** `rows Qᵀ` in place: every row `z` becomes `Q z`. Arguments as of `reflectRows`. */
export function reflectRowsBack(v: usize, factors: usize, inner: usize, size: i32, rows: usize, count: i32): void {
  reflectAll(v, factors, inner, size, 1, rows, count);
}
