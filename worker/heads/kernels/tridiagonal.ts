/**
 * Householder's tridiagonal form of a symmetric matrix, as LAPACK's `dsytd2` (lower): `A = Q T Qᵀ`. Four rows at a time share the
 * loads of the vectors that they are multiplied with.
 */
import { across } from './product';

/** `w = A v` from `start` on, from the upper half of A. */
function multiplySymmetric(a: usize, size: i32, start: i32, v: usize, w: usize): void {
  const stride: usize = size << 3;
  memory.fill(w + (start << 3), 0, (size - start) << 3);
  let i = start;
  for (; i + 4 <= size; i += 4) {
    const r0 = a + i * stride;
    const r1 = r0 + stride;
    const r2 = r1 + stride;
    const r3 = r2 + stride;
    const at: usize = i << 3;
    const v0 = load<f64>(v + at);
    const v1 = load<f64>(v + at, 8);
    const v2 = load<f64>(v + at, 16);
    const v3 = load<f64>(v + at, 24);
    const a01 = load<f64>(r0 + at, 8);
    const a02 = load<f64>(r0 + at, 16);
    const a03 = load<f64>(r0 + at, 24);
    const a12 = load<f64>(r1 + at, 16);
    const a13 = load<f64>(r1 + at, 24);
    const a23 = load<f64>(r2 + at, 24);
    let s0 = f64x2.splat(0);
    let s1 = f64x2.splat(0);
    let s2 = f64x2.splat(0);
    let s3 = f64x2.splat(0);
    const m0 = f64x2.splat(v0);
    const m1 = f64x2.splat(v1);
    const m2 = f64x2.splat(v2);
    const m3 = f64x2.splat(v3);
    let j = i + 4;
    for (; j + 2 <= size; j += 2) {
      const to: usize = j << 3;
      const x = v128.load(v + to);
      let sum = v128.load(w + to);
      const p = v128.load(r0 + to);
      s0 = f64x2.add(s0, f64x2.mul(p, x));
      sum = f64x2.add(sum, f64x2.mul(p, m0));
      const q = v128.load(r1 + to);
      s1 = f64x2.add(s1, f64x2.mul(q, x));
      sum = f64x2.add(sum, f64x2.mul(q, m1));
      const r = v128.load(r2 + to);
      s2 = f64x2.add(s2, f64x2.mul(r, x));
      sum = f64x2.add(sum, f64x2.mul(r, m2));
      const s = v128.load(r3 + to);
      s3 = f64x2.add(s3, f64x2.mul(s, x));
      sum = f64x2.add(sum, f64x2.mul(s, m3));
      v128.store(w + to, sum);
    }
    let t0 = across(s0);
    let t1 = across(s1);
    let t2 = across(s2);
    let t3 = across(s3);
    if (j < size) {
      const to: usize = j << 3;
      const x = load<f64>(v + to);
      const p = load<f64>(r0 + to);
      const q = load<f64>(r1 + to);
      const r = load<f64>(r2 + to);
      const s = load<f64>(r3 + to);
      t0 += p * x;
      t1 += q * x;
      t2 += r * x;
      t3 += s * x;
      store<f64>(w + to, load<f64>(w + to) + (p * v0 + q * v1 + r * v2 + s * v3));
    }
    t0 += load<f64>(r0 + at) * v0 + a01 * v1 + a02 * v2 + a03 * v3;
    t1 += a01 * v0 + load<f64>(r1 + at, 8) * v1 + a12 * v2 + a13 * v3;
    t2 += a02 * v0 + a12 * v1 + load<f64>(r2 + at, 16) * v2 + a23 * v3;
    t3 += a03 * v0 + a13 * v1 + a23 * v2 + load<f64>(r3 + at, 24) * v3;
    store<f64>(w + at, load<f64>(w + at) + t0);
    store<f64>(w + at, load<f64>(w + at, 8) + t1, 8);
    store<f64>(w + at, load<f64>(w + at, 16) + t2, 16);
    store<f64>(w + at, load<f64>(w + at, 24) + t3, 24);
  }
  for (; i < size; i++) {
    const row = a + i * stride;
    const vi = load<f64>(v + (i << 3));
    let sum = load<f64>(row + (i << 3)) * vi;
    for (let j = i + 1; j < size; j++) {
      const to: usize = j << 3;
      const value = load<f64>(row + to);
      sum += value * load<f64>(v + to);
      store<f64>(w + to, load<f64>(w + to) + value * vi);
    }
    store<f64>(w + (i << 3), load<f64>(w + (i << 3)) + sum);
  }
}

/** `A -= v wᵀ + w vᵀ` from `start` on, in the upper half of A; up to three entries below the diagonal are spoilt. */
function subtractRankTwo(a: usize, size: i32, start: i32, v: usize, w: usize): void {
  const stride: usize = size << 3;
  let i = start;
  for (; i + 4 <= size; i += 4) {
    const r0 = a + i * stride;
    const r1 = r0 + stride;
    const r2 = r1 + stride;
    const r3 = r2 + stride;
    const at: usize = i << 3;
    const v0 = f64x2.splat(load<f64>(v + at));
    const v1 = f64x2.splat(load<f64>(v + at, 8));
    const v2 = f64x2.splat(load<f64>(v + at, 16));
    const v3 = f64x2.splat(load<f64>(v + at, 24));
    const w0 = f64x2.splat(load<f64>(w + at));
    const w1 = f64x2.splat(load<f64>(w + at, 8));
    const w2 = f64x2.splat(load<f64>(w + at, 16));
    const w3 = f64x2.splat(load<f64>(w + at, 24));
    let j = i;
    for (; j + 2 <= size; j += 2) {
      const to: usize = j << 3;
      const x = v128.load(v + to);
      const y = v128.load(w + to);
      v128.store(r0 + to, f64x2.sub(v128.load(r0 + to), f64x2.add(f64x2.mul(v0, y), f64x2.mul(w0, x))));
      v128.store(r1 + to, f64x2.sub(v128.load(r1 + to), f64x2.add(f64x2.mul(v1, y), f64x2.mul(w1, x))));
      v128.store(r2 + to, f64x2.sub(v128.load(r2 + to), f64x2.add(f64x2.mul(v2, y), f64x2.mul(w2, x))));
      v128.store(r3 + to, f64x2.sub(v128.load(r3 + to), f64x2.add(f64x2.mul(v3, y), f64x2.mul(w3, x))));
    }
    for (let row = 0; row < 4; row++) subtractRow(r0 + row * stride, size, j, v, w, i + row);
  }
  for (; i < size; i++) subtractRow(a + i * stride, size, i, v, w, i);
}

/** One row of it, from column `from` on. */
function subtractRow(row: usize, size: i32, from: i32, v: usize, w: usize, i: i32): void {
  const vi = load<f64>(v + (i << 3));
  const wi = load<f64>(w + (i << 3));
  for (let j = from; j < size; j++) {
    const to: usize = j << 3;
    store<f64>(row + to, load<f64>(row + to) - (vi * load<f64>(w + to) + wi * load<f64>(v + to)));
  }
}

/**
 * Factorises a symmetric matrix.
 * @param a f64 [size, size], of which the upper half counts; row k becomes the vector of reflection k, from k + 1 on.
 * @param diagonal f64 [size], of T.
 * @param below f64 [size], below the diagonal of T, the first entry unused.
 * @param factors f64 [size]; 0 where there is no reflection.
 * @param v, w f64 [size] each, to work in.
 */
export function tridiagonalize(
  a: usize,
  size: i32,
  diagonal: usize,
  below: usize,
  factors: usize,
  v: usize,
  w: usize,
): void {
  const stride: usize = size << 3;
  for (let k = 0; k < size; k++) {
    const row = a + k * stride;
    store<f64>(diagonal + (k << 3), load<f64>(row + (k << 3)));
    store<f64>(factors + (k << 3), 0);
    if (k === size - 1) break;
    let squares: f64 = 0;
    for (let j = k + 2; j < size; j++) {
      const value = load<f64>(row + (j << 3));
      squares += value * value;
    }
    const next: usize = (k + 1) << 3;
    const first = load<f64>(row + next);
    if (squares === 0) {
      store<f64>(below + next, first);
      continue;
    }
    const norm = Math.sqrt(first * first + squares);
    const beta = first >= 0 ? -norm : norm;
    store<f64>(below + next, beta);
    const factor = (beta - first) / beta;
    store<f64>(factors + (k << 3), factor);
    const scale = 1 / (first - beta);
    store<f64>(row + next, 1);
    for (let j = k + 2; j < size; j++) store<f64>(row + (j << 3), load<f64>(row + (j << 3)) * scale);
    memory.copy(v + next, row + next, (size - k - 1) << 3);
    multiplySymmetric(a, size, k + 1, v, w);
    let product: f64 = 0;
    for (let j = k + 1; j < size; j++) {
      const value = factor * load<f64>(w + (j << 3));
      store<f64>(w + (j << 3), value);
      product += value * load<f64>(v + (j << 3));
    }
    const half = 0.5 * factor * product;
    for (let j = k + 1; j < size; j++) {
      store<f64>(w + (j << 3), load<f64>(w + (j << 3)) - half * load<f64>(v + (j << 3)));
    }
    subtractRankTwo(a, size, k + 1, v, w);
  }
}
