/**
 * Coefficient tokens of one macroblock, dequantized (RFC 6386, sections 13 and 14.1; libwebp src/dec/vp8_dec.c
 * `ParseResiduals`, `GetCoeffsFast`, `GetLargeValue`).
 */
import { type BoolDecoder, lastWord } from './bool-decoder.ts';
import { POSITION_PROBS, STEPS_PER_SEGMENT, TYPE_PROBS } from './vp8-header.ts';
import { inverseWalshHadamard } from './vp8-idct.ts';
import { TOKEN_PROBS } from './vp8-tables.ts';

/** Coefficients of a macroblock: 16 luma, 4 U and 4 V blocks of 16. */
export const MB_COEFFS = 384;

/** Blocks with contexts: 4 luma columns (or rows), 2 U, 2 V, and Y2. */
export const CONTEXTS_PER_MB = 9;

/** Natural position of each coefficient in coding order (RFC 6386, section 13). */
const ZIGZAG = new Uint8Array([0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15]);

/** Extra-bit probabilities of the token categories 3 to 6 (RFC 6386, section 13.2), zero-terminated, 12 apart. */
const CATEGORY_PROBS = new Uint8Array(48);
CATEGORY_PROBS.set([173, 148, 140], 0);
CATEGORY_PROBS.set([176, 155, 140, 135], 12);
CATEGORY_PROBS.set([180, 157, 141, 134, 130], 24);
CATEGORY_PROBS.set([254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129], 36);

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

/** Scratch for the Y2 block. */
const y2 = new Int16Array(16);

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
    let out = coeffs;
    let outAt = 0;
    let type = 1;
    let step = firstStep + 2;
    let first = 0;
    let aboveCtx = aboveAt + 8;
    let leftCtx = 8;
    if (block < 0) {
      out = y2;
      out.fill(0);
    } else {
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
        reader.pos = pos;
        reader.value = value;
        reader.range = range;
        reader.bits = bits;
        level = readLargeLevel(reader, probs, p);
        pos = reader.pos;
        value = reader.value;
        range = reader.range;
        bits = reader.bits;
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
      split = (range + 1) >> 1;
      bound = split << bits;
      if (value < bound) {
        range = split;
      } else {
        range -= split;
        value -= bound;
        level = -level;
      }
      out[outAt + ZIGZAG[n]!] = level;
      n++;
    }

    const coded = n > first ? 1 : 0;
    above[aboveCtx] = coded;
    left[leftCtx] = coded;
    if (block < 0) {
      if (n > 1) {
        inverseWalshHadamard(y2, coeffs);
      } else {
        const dc = (y2[0]! + 3) >> 3;
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

/** The rest of a token that is larger than one (RFC 6386, section 13.2). `p` is the offset of its probabilities. */
function readLargeLevel(reader: BoolDecoder, probs: Uint8Array, p: number): number {
  if (reader.readBit(probs[p + 3]!) === 0) {
    if (reader.readBit(probs[p + 4]!) === 0) return 2;
    return 3 + reader.readBit(probs[p + 5]!);
  }
  if (reader.readBit(probs[p + 6]!) === 0) {
    if (reader.readBit(probs[p + 7]!) === 0) return 5 + reader.readBit(159);
    const high = reader.readBit(165);
    return 7 + 2 * high + reader.readBit(145);
  }
  const bit1 = reader.readBit(probs[p + 8]!);
  const bit0 = reader.readBit(probs[p + 9 + bit1]!);
  const category = 2 * bit1 + bit0;
  let extra = 0;
  for (let i = category * 12; i < 48 && CATEGORY_PROBS[i] !== 0; i++) {
    extra = extra * 2 + reader.readBit(CATEGORY_PROBS[i]!);
  }
  return extra + 3 + (8 << category);
}
