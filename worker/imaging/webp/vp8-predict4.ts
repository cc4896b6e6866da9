/**
 * Intra prediction of 4x4 luma subblocks (RFC 6386, section 12.3; libwebp src/dsp/dec.c).
 *
 * Neighbours carry the RFC's names: `a`..`h` the eight samples above from left to right, `x` the corner,
 * `i`..`l` the four to the left from top to bottom.
 */
import { DC_PRED, H_PRED, HD_PRED, HU_PRED, LD_PRED, RD_PRED, TM_PRED, V_PRED, VL_PRED, VR_PRED } from './vp8-modes.ts';

/** Mean of two, rounded. */
function avg2(a: number, b: number): number {
  return (a + b + 1) >> 1;
}

/** Weighted mean of three, rounded. */
function avg3(a: number, b: number, c: number): number {
  return (a + 2 * b + c + 2) >> 2;
}

/** Four samples as one little-endian word. */
function pack(a: number, b: number, c: number, d: number): number {
  return a | (b << 8) | (c << 16) | (d << 24);
}

/**
 * Predicts a subblock. All thirteen neighbours are read from the plane.
 *
 * @param words the memory of `bytes`, four samples an element
 * @param at index of the top left sample in `bytes`, a multiple of four
 */
export function predictSubblock(
  mode: number,
  bytes: Uint8ClampedArray,
  words: Int32Array,
  at: number,
  stride: number,
): void {
  const above = at - stride;
  const x = bytes[above - 1]!;
  const a = bytes[above]!;
  const b = bytes[above + 1]!;
  const c = bytes[above + 2]!;
  const d = bytes[above + 3]!;
  const i = bytes[at - 1]!;
  const j = bytes[at + stride - 1]!;
  const k = bytes[at + 2 * stride - 1]!;
  const l = bytes[at + 3 * stride - 1]!;
  const row0 = at >> 2;
  const wordStride = stride >> 2;
  const row1 = row0 + wordStride;
  const row2 = row1 + wordStride;
  const row3 = row2 + wordStride;
  switch (mode) {
    case DC_PRED: {
      const word = Math.imul((a + b + c + d + i + j + k + l + 4) >> 3, 0x01010101);
      words[row0] = word;
      words[row1] = word;
      words[row2] = word;
      words[row3] = word;
      break;
    }
    case TM_PRED:
      for (let y = 0, row = at; y < 4; y++, row += stride) {
        const base = bytes[row - 1]! - x;
        bytes[row] = base + a;
        bytes[row + 1] = base + b;
        bytes[row + 2] = base + c;
        bytes[row + 3] = base + d;
      }
      break;
    case V_PRED: {
      const word = pack(avg3(x, a, b), avg3(a, b, c), avg3(b, c, d), avg3(c, d, bytes[above + 4]!));
      words[row0] = word;
      words[row1] = word;
      words[row2] = word;
      words[row3] = word;
      break;
    }
    case H_PRED:
      words[row0] = Math.imul(avg3(x, i, j), 0x01010101);
      words[row1] = Math.imul(avg3(i, j, k), 0x01010101);
      words[row2] = Math.imul(avg3(j, k, l), 0x01010101);
      words[row3] = Math.imul(avg3(k, l, l), 0x01010101);
      break;
    case RD_PRED: {
      const jkl = avg3(j, k, l);
      const ijk = avg3(i, j, k);
      const xij = avg3(x, i, j);
      const axi = avg3(a, x, i);
      const bax = avg3(b, a, x);
      const cba = avg3(c, b, a);
      const dcb = avg3(d, c, b);
      words[row0] = pack(axi, bax, cba, dcb);
      words[row1] = pack(xij, axi, bax, cba);
      words[row2] = pack(ijk, xij, axi, bax);
      words[row3] = pack(jkl, ijk, xij, axi);
      break;
    }
    case VR_PRED: {
      const xa = avg2(x, a);
      const ab = avg2(a, b);
      const bc = avg2(b, c);
      const ixa = avg3(i, x, a);
      const xab = avg3(x, a, b);
      const abc = avg3(a, b, c);
      words[row0] = pack(xa, ab, bc, avg2(c, d));
      words[row1] = pack(ixa, xab, abc, avg3(b, c, d));
      words[row2] = pack(avg3(j, i, x), xa, ab, bc);
      words[row3] = pack(avg3(k, j, i), ixa, xab, abc);
      break;
    }
    case LD_PRED: {
      const e = bytes[above + 4]!;
      const f = bytes[above + 5]!;
      const g = bytes[above + 6]!;
      const h = bytes[above + 7]!;
      const bcd = avg3(b, c, d);
      const cde = avg3(c, d, e);
      const def = avg3(d, e, f);
      const efg = avg3(e, f, g);
      const fgh = avg3(f, g, h);
      words[row0] = pack(avg3(a, b, c), bcd, cde, def);
      words[row1] = pack(bcd, cde, def, efg);
      words[row2] = pack(cde, def, efg, fgh);
      words[row3] = pack(def, efg, fgh, avg3(g, h, h));
      break;
    }
    case VL_PRED: {
      const e = bytes[above + 4]!;
      const f = bytes[above + 5]!;
      const g = bytes[above + 6]!;
      const h = bytes[above + 7]!;
      const bc = avg2(b, c);
      const cd = avg2(c, d);
      const de = avg2(d, e);
      const bcd = avg3(b, c, d);
      const cde = avg3(c, d, e);
      const def = avg3(d, e, f);
      words[row0] = pack(avg2(a, b), bc, cd, de);
      words[row1] = pack(avg3(a, b, c), bcd, cde, def);
      words[row2] = pack(bc, cd, de, avg3(e, f, g));
      words[row3] = pack(bcd, cde, def, avg3(f, g, h));
      break;
    }
    case HD_PRED: {
      const ix = avg2(i, x);
      const ji = avg2(j, i);
      const kj = avg2(k, j);
      const ixa = avg3(i, x, a);
      const jix = avg3(j, i, x);
      const kji = avg3(k, j, i);
      words[row0] = pack(ix, ixa, avg3(x, a, b), avg3(a, b, c));
      words[row1] = pack(ji, jix, ix, ixa);
      words[row2] = pack(kj, kji, ji, jix);
      words[row3] = pack(avg2(l, k), avg3(l, k, j), kj, kji);
      break;
    }
    case HU_PRED: {
      const jk = avg2(j, k);
      const kl = avg2(k, l);
      const jkl = avg3(j, k, l);
      const kll = avg3(k, l, l);
      words[row0] = pack(avg2(i, j), avg3(i, j, k), jk, jkl);
      words[row1] = pack(jk, jkl, kl, kll);
      words[row2] = pack(kl, kll, l, l);
      words[row3] = Math.imul(l, 0x01010101);
      break;
    }
  }
}
