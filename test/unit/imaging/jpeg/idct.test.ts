import { describe, expect, it } from 'vitest';
import { transformBlock } from '../../../../worker/imaging/jpeg/component-output.ts';
import { SAFE_MAGNITUDE } from '../../../../worker/imaging/jpeg/idct.ts';
import { idct1x1 } from '../../../../worker/imaging/jpeg/idct-reduced.ts';
import { idctSaturating } from '../../../../worker/imaging/jpeg/idct-saturating.ts';

interface Block {
  readonly coefficients: Int16Array;
  readonly used: number;
}

/** Blocks within `SAFE_MAGNITUDE`: DC alone, the upper left corner, and anywhere. */
function blocks(): Block[] {
  let state = 3;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
  return Array.from({ length: 600 }, (_, i) => {
    const coefficients = new Int16Array(72);
    let left = SAFE_MAGNITUDE;
    let used = 0;
    const positions = [0, ...Array.from({ length: i % 3 === 0 ? 0 : random(40) }, () => random(64))];
    for (const position of positions) {
      const at = i % 3 === 1 ? position & 0b011011 : position;
      const size = random(Math.min(left, 1500));
      if (coefficients[at] !== 0 || size === 0) continue;
      left -= size;
      coefficients[at] = random(2) === 0 ? size : -size;
      used |= at;
    }
    return { coefficients, used };
  });
}

/** The inverse DCT of ITU-T T.81 A.3.3 in floating point, averaged down to `size` x `size`. */
function reference({ coefficients }: Block, size: number): number[] {
  const scale = (u: number): number => (u === 0 ? Math.SQRT1_2 : 1);
  const step = 8 / size;
  const out = new Array<number>(size * size).fill(0);
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      let sum = 0;
      for (let v = 0; v < 8; v++) {
        for (let u = 0; u < 8; u++) {
          const basis = Math.cos(((2 * x + 1) * u * Math.PI) / 16) * Math.cos(((2 * y + 1) * v * Math.PI) / 16);
          sum += scale(u) * scale(v) * coefficients[v * 8 + u]! * basis;
        }
      }
      out[Math.floor(y / step) * size + Math.floor(x / step)]! += (sum / 4 + 128) / (step * step);
    }
  }
  return out;
}

describe.each([8, 4, 2])('the transform to %d samples a side', (size) => {
  it('is within one and a half of the exact transform, averaged where it is reduced', () => {
    for (const block of blocks()) {
      const plane = new Uint8ClampedArray(size * size);
      transformBlock(block.coefficients, 0, block.used, size, plane, 0, size);
      const exact = reference(block, size);
      plane.forEach((sample, i) => {
        expect(Math.abs(sample - Math.min(255, Math.max(0, exact[i]!)))).toBeLessThan(1.5);
      });
    }
  });

  it('is the same, in all its shortcuts, as the plain one that saturates', () => {
    for (const { coefficients, used } of blocks()) {
      const [fast, plain] = [new Uint8ClampedArray(64), new Uint8ClampedArray(64)];
      transformBlock(coefficients, 0, used, size, fast, 0, 8);
      idctSaturating(coefficients, 0, size, plain, 0, 8);
      expect(fast).toEqual(plain);
    }
  });
});

describe('idct1x1', () => {
  it.each([
    [0, 128],
    [8, 129],
    [-1024, 0],
    [1016, 255],
    [4091, 255],
    [4092, 0],
    [8192, 128],
  ])('dequantized DC %d gives %d, wrapping far out as libjpeg does', (dc, sample) => {
    const plane = new Uint8ClampedArray(1);
    idct1x1(dc, plane, 0);
    expect(plane[0]).toBe(sample);
  });
});
