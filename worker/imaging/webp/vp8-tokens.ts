/**
 * Coefficient tokens of one macroblock, dequantized (RFC 6386, sections 13 and 14.1; libwebp src/dec/vp8_dec.c
 * `ParseResiduals`, `GetCoeffsFast`, `GetLargeValue`).
 */
import { type BoolDecoder, lastWord } from './bool-decoder.ts';
import { POSITION_PROBS, STEPS_PER_SEGMENT, TYPE_PROBS } from './vp8-header.ts';
import { inverseWalshHadamard } from './vp8-idct.ts';
import { TOKEN_PROBS } from './vp8-tables.ts';

/** Coefficients of a macroblock: 16 luma, 4 U, 4 V blocks and the Y2 block, 16 each. */
export const MB_COEFFS = 400;

/** Where the Y2 block lies among them. */
const Y2_AT = 384;

/** Blocks with contexts: 4 luma columns (or rows), 2 U, 2 V, and Y2. */
export const CONTEXTS_PER_MB = 9;

/** Natural position of each coefficient in coding order (RFC 6386, section 13). */
const ZIGZAG = new Uint8Array([0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15]);

/**
 * The token tree below "more than one" (RFC 6386, section 13.2): for each node, by bit, the next node, or the
 * complement of a leaf. The root is the node of probability 3.
 */
const LARGE_TREE = new Int8Array([4, 6, ~0, 5, ~1, ~2, 7, 8, ~3, ~4, 9, 10, ~5, ~6, ~7, ~8]);
const LARGE_TREE_ROOT = 3;

/** Smallest level of each leaf: two, three, four, and the six categories. */
const LEAF_LEVEL = new Uint8Array([2, 3, 4, 5, 7, 11, 19, 35, 67]);

/** Probabilities of the extra bits of each leaf, zero-terminated. */
const LEAF_STRIDE = 12;
const LEAF_PROBS = new Uint8Array(9 * LEAF_STRIDE);
LEAF_PROBS.set([159], 3 * LEAF_STRIDE);
LEAF_PROBS.set([165, 145], 4 * LEAF_STRIDE);
LEAF_PROBS.set([173, 148, 140], 5 * LEAF_STRIDE);
LEAF_PROBS.set([176, 155, 140, 135], 6 * LEAF_STRIDE);
LEAF_PROBS.set([180, 157, 141, 134, 130], 7 * LEAF_STRIDE);
LEAF_PROBS.set([254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129], 8 * LEAF_STRIDE);

/** How much of a block is there, for the choice of transform. */
export const BLOCK_EMPTY = 0;
export const BLOCK_DC_ONLY = 1;
/** No coefficient after the third in coding order. */
export const BLOCK_FIRST_THREE = 2;
export const BLOCK_FULL = 3;
/** Coefficients so large that the transform may overflow 16 bits; only damaged files have them. */
export const BLOCK_OVERFLOW = 4;

/** Up to this magnitude no transform overflows: two passes grow by less than 14.9. */
const SAFE_COEFFICIENT = 2047;

/**
 * Reads the 24 or 25 blocks of a macroblock.
 *
 * @param probs token probabilities by position (`Vp8Header.tokenProbs`)
 * @param steps dequantization steps of all segments
 * @param coeffs out, `MB_COEFFS`, natural order; must be zero
 * @param kinds out, 24 block kinds
 * @param above contexts of the row above, `CONTEXTS_PER_MB` at `aboveAt`: 1 where the neighbour had tokens
 * @param left contexts of the macroblock to the left
 * @returns true where any block has something to add
 */
export function readTokens(
  reader: BoolDecoder,
  probs: Uint8Array,
  steps: Int32Array,
  segment: number,
  hasY2: boolean,
  coeffs: Int16Array,
  kinds: Uint8Array,
  above: Uint8Array,
  aboveAt: number,
  left: Uint8Array,
): boolean {
  // The arithmetic decoder is written out at each tree node: calls would put its four variables back into memory
  // once a bit. Each copy is BoolDecoder.readBit.
  const { data, end } = reader;
  const lastPair = end - 1;
  let { pos, value, range, bits } = reader;
  let shift = 0;
  let bound = 0;

  const firstStep = segment * STEPS_PER_SEGMENT;
  let any = 0;
  for (let block = hasY2 ? -1 : 0; block < 24; block++) {
    let outAt = Y2_AT;
    let type = 1;
    let step = firstStep + 2;
    let first = 0;
    let aboveCtx = aboveAt + 8;
    let leftCtx = 8;
    if (block >= 0) {
      outAt = block << 4;
      if (block < 16) {
        type = hasY2 ? 0 : 3;
        first = hasY2 ? 1 : 0;
        step = firstStep;
        aboveCtx = aboveAt + (block & 3);
        leftCtx = block >> 2;
      } else {
        const chroma = block - 16;
        type = 2;
        step = firstStep + 4;
        aboveCtx = aboveAt + 4 + ((chroma >> 2) << 1) + (chroma & 1);
        leftCtx = 4 + (chroma >> 1);
      }
    }
    const typeAt = type * TYPE_PROBS;
    const dcStep = steps[step]!;
    const acStep = steps[step + 1]!;
    let n = first;
    // All magnitudes, or-ed.
    let peak = 0;
    let p = typeAt + n * POSITION_PROBS + (above[aboveCtx]! + left[leftCtx]!) * TOKEN_PROBS;

    tokens: while (n < 16) {
      // End of block?
      shift = Math.clz32(range) - 24;
      range <<= shift;
      bits -= shift;
      if (bits < 0) {
        value = (value << 16) | (pos < lastPair ? (data[pos]! << 8) | data[pos + 1]! : lastWord(data, pos, end));
        pos += 2;
        bits += 16;
      }
      let split = 1 + (Math.imul(range - 1, probs[p]!) >> 8);
      bound = split << bits;
      if (value < bound) {
        range = split;
        break;
      }
      range -= split;
      value -= bound;

      // A run of zeros.
      for (;;) {
        shift = Math.clz32(range) - 24;
        range <<= shift;
        bits -= shift;
        if (bits < 0) {
          value = (value << 16) | (pos < lastPair ? (data[pos]! << 8) | data[pos + 1]! : lastWord(data, pos, end));
          pos += 2;
          bits += 16;
        }
        split = 1 + (Math.imul(range - 1, probs[p + 1]!) >> 8);
        bound = split << bits;
        if (value >= bound) break;
        range = split;
        n++;
        p = typeAt + n * POSITION_PROBS;
        if (n === 16) break tokens;
      }
      range -= split;
      value -= bound;

      // One, or more?
      let level = 1;
      shift = Math.clz32(range) - 24;
      range <<= shift;
      bits -= shift;
      if (bits < 0) {
        value = (value << 16) | (pos < lastPair ? (data[pos]! << 8) | data[pos + 1]! : lastWord(data, pos, end));
        pos += 2;
        bits += 16;
      }
      split = 1 + (Math.imul(range - 1, probs[p + 2]!) >> 8);
      bound = split << bits;
      let context = TOKEN_PROBS;
      if (value < bound) {
        range = split;
      } else {
        range -= split;
        value -= bound;
        context = 2 * TOKEN_PROBS;
        let node = LARGE_TREE_ROOT;
        do {
          shift = Math.clz32(range) - 24;
          range <<= shift;
          bits -= shift;
          if (bits < 0) {
            value = (value << 16) | (pos < lastPair ? (data[pos]! << 8) | data[pos + 1]! : lastWord(data, pos, end));
            pos += 2;
            bits += 16;
          }
          split = 1 + (Math.imul(range - 1, probs[p + node]!) >> 8);
          bound = split << bits;
          if (value < bound) {
            range = split;
            node = LARGE_TREE[(node - LARGE_TREE_ROOT) * 2]!;
          } else {
            range -= split;
            value -= bound;
            node = LARGE_TREE[(node - LARGE_TREE_ROOT) * 2 + 1]!;
          }
        } while (node >= 0);
        const leaf = ~node;
        let extra = 0;
        for (let i = leaf * LEAF_STRIDE; LEAF_PROBS[i] !== 0; i++) {
          shift = Math.clz32(range) - 24;
          range <<= shift;
          bits -= shift;
          if (bits < 0) {
            value = (value << 16) | (pos < lastPair ? (data[pos]! << 8) | data[pos + 1]! : lastWord(data, pos, end));
            pos += 2;
            bits += 16;
          }
          split = 1 + (Math.imul(range - 1, LEAF_PROBS[i]!) >> 8);
          bound = split << bits;
          const one = ~((value - bound) >> 31);
          range = split + ((range - 2 * split) & one);
          value -= bound & one;
          extra = extra * 2 - one;
        }
        level = LEAF_LEVEL[leaf]! + extra;
      }
      p = typeAt + (n + 1) * POSITION_PROBS + context;

      level = Math.imul(level, n > 0 ? acStep : dcStep);
      peak |= level;

      // The sign, at even odds.
      shift = Math.clz32(range) - 24;
      range <<= shift;
      bits -= shift;
      if (bits < 0) {
        value = (value << 16) | (pos < lastPair ? (data[pos]! << 8) | data[pos + 1]! : lastWord(data, pos, end));
        pos += 2;
        bits += 16;
      }
      // Without a branch: nothing predicts it. `negative` is -1 or 0.
      split = (range + 1) >> 1;
      bound = split << bits;
      const negative = ~((value - bound) >> 31);
      range = split + ((range - 2 * split) & negative);
      value -= bound & negative;
      level = (level ^ negative) - negative;
      coeffs[outAt + ZIGZAG[n]!] = level;
      n++;
    }

    const coded = n > first ? 1 : 0;
    above[aboveCtx] = coded;
    left[leftCtx] = coded;
    if (block < 0) {
      if (n > 1) {
        inverseWalshHadamard(coeffs, Y2_AT);
      } else {
        const dc = (coeffs[Y2_AT]! + 3) >> 3;
        for (let i = 0; i < 256; i += 16) coeffs[i] = dc;
      }
    } else {
      let kind = n > 3 ? BLOCK_FULL : n > 1 ? BLOCK_FIRST_THREE : coeffs[outAt] !== 0 ? BLOCK_DC_ONLY : BLOCK_EMPTY;
      // libwebp runs its 16-bit transform on full blocks, and on chroma blocks with any AC coefficient.
      if (n > (block < 16 ? 3 : 1) && (peak | Math.abs(coeffs[outAt]!)) > SAFE_COEFFICIENT) kind = BLOCK_OVERFLOW;
      kinds[block] = kind;
      any |= kind;
    }
  }
  reader.pos = pos;
  reader.value = value;
  reader.range = range;
  reader.bits = bits;
  return any !== 0;
}
