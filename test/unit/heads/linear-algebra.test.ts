/** The kernels against plain loops, at sizes that leave remainders of every kind. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { compileHeadAlgebra } from '../../../scripts/cli/heads/head-algebra.ts';
import { compileHeadKernels } from '../../../scripts/kernels/build-kernel.ts';
import { seededRandom } from '../../../worker/heads/math/random.ts';
import { rotateRows, rotateRowsBack, shift, solveRow, tridiagonalize } from '../../../worker/heads/math/tridiagonal.ts';

const KERNELS = new URL('../../../worker/heads/kernels/heads.wasm', import.meta.url);
const algebra = await compileHeadAlgebra();
const random = seededRandom(7);
const next = (): number => random() / 2 ** 32 - 0.5;
const numbers = (length: number): Float64Array => Float64Array.from({ length }, next);

/** The largest difference of two arrays. */
function difference(a: Float64Array, b: Float64Array): number {
  return a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0);
}

it('is the file that its source compiles to: run "npm run kernel"', async () => {
  expect(Buffer.compare(await compileHeadKernels(), await readFile(KERNELS))).toBe(0);
}, 60_000);

describe.each([
  [1, 1, 1],
  [4, 2, 8],
  [5, 3, 7],
  [9, 6, 1],
  [6, 7, 130],
])('the product of %i and %i rows of %i', (rows, others, depth) => {
  const a = numbers(rows * depth);
  const b = numbers(others * depth);

  function product(first: Float64Array, second: Float64Array, half: boolean): Float64Array {
    algebra.reserve(first.length, second.length, rows * others + rows * rows);
    const [x, y] = [algebra.float64(first.length), algebra.float64(second.length)];
    x.set(first);
    y.set(second);
    const count = second.length / depth;
    const c = algebra.float64(rows * count).fill(half ? 0 : 1);
    algebra.multiplyRows({ values: x, count: rows }, { values: y, count }, depth, c, half);
    return c.slice();
  }

  const dot = (x: Float64Array, i: number, y: Float64Array, j: number): number => {
    let sum = 0;
    for (let d = 0; d < depth; d++) sum += x[i * depth + d]! * y[j * depth + d]!;
    return sum;
  };

  it('is added', () => {
    const expected = Float64Array.from(
      { length: rows * others },
      (_, at) => 1 + dot(a, Math.floor(at / others), b, at % others),
    );
    expect(difference(product(a, b, false), expected)).toBeLessThan(1e-14);
  });

  it('has its lower half where it is symmetric', () => {
    const gram = product(a, a, true);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j <= i; j++) expect(Math.abs(gram[i * rows + j]! - dot(a, i, a, j))).toBeLessThan(1e-14);
    }
  });
});

describe.each([1, 2, 3, 4, 5, 6, 17, 18, 35, 70])('a tridiagonal form of size %i', (size) => {
  const rows = size + 1;
  const factor = numbers(size * size);
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      for (let k = 0; k < size; k++) matrix[i * size + j]! += factor[i * size + k]! * factor[j * size + k]!;
    }
  }

  function factorise() {
    algebra.reserve(size * size, size, size, size, size, size, rows * size);
    const own = algebra.float64(size * size);
    own.set(matrix);
    return tridiagonalize(own, size, algebra);
  }

  it('solves for every shift as the matrix does', () => {
    const factorisation = factorise();
    const given = numbers(size);
    for (const lambda of [0.1, 10]) {
      const x = algebra.float64(size);
      x.set(given);
      rotateRows(factorisation, x, 1);
      solveRow(shift(factorisation, lambda), x, 0);
      rotateRowsBack(factorisation, x, 1);
      const back = Float64Array.from({ length: size }, (_, i) =>
        x.reduce((sum, value, j) => sum + (matrix[i * size + j]! + (i === j ? lambda : 0)) * value, 0),
      );
      expect(difference(back, given)).toBeLessThan(1e-10);
    }
  });

  it('turns rows and turns them back', () => {
    const factorisation = factorise();
    const given = numbers(rows * size);
    const turned = algebra.float64(rows * size);
    turned.set(given);
    rotateRows(factorisation, turned, rows);
    if (size > 2) expect(difference(turned, given)).toBeGreaterThan(1e-3);
    rotateRowsBack(factorisation, turned, rows);
    expect(difference(turned, given)).toBeLessThan(1e-12);
  });
});

describe('memory', () => {
  it('of arrays that were given before room was made is not taken for that of now', () => {
    algebra.reserve(4);
    const before = algebra.float64(4);
    algebra.reserve(algebra.bytes);
    expect(() => algebra.multiplyRows({ values: before, count: 1 }, { values: before, count: 1 }, 1, before)).toThrow(
      TypeError,
    );
  });

  it('that was not reserved is not given', () => {
    algebra.reserve(1);
    expect(() => algebra.float64(algebra.bytes)).toThrow(RangeError);
  });
});
