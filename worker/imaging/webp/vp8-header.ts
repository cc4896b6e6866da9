/**
 * The frame header of a VP8 key frame (RFC 6386, sections 9.2 to 9.11 and 19.2), as libwebp reads it
 * (src/dec/vp8_dec.c `VP8GetHeaders`, src/dec/quant_dec.c, src/dec/tree_dec.c `VP8ParseProba`).
 */
import { BoolDecoder } from './bool-decoder.ts';
import { readU16, readU24 } from './chunks.ts';
import { corruptWebp, truncatedWebp } from './errors.ts';
import {
  AC_STEPS,
  BLOCK_TYPES,
  COEFF_BANDS,
  COEFF_CONTEXTS,
  DC_STEPS,
  DEFAULT_TOKEN_PROBS,
  TOKEN_PROB_UPDATE_PROBS,
  TOKEN_PROBS,
} from './vp8-tables.ts';

/** Segments a frame can have (RFC 6386, section 9.3). */
export const SEGMENTS = 4;

/** Dequantization steps a segment has: luma DC, AC; Y2 DC, AC; chroma DC, AC. */
export const STEPS_PER_SEGMENT = 6;

/** Positions of a 4x4 block plus a sentinel: the token loop looks one position ahead. */
const POSITIONS = 17;

/** Probabilities of one position: all of its contexts. */
export const POSITION_PROBS: number = COEFF_CONTEXTS * TOKEN_PROBS;

/** Probabilities of one block type, laid out by position. */
export const TYPE_PROBS: number = POSITIONS * POSITION_PROBS;

/** Band of each coefficient position (RFC 6386, section 13.3), and a sentinel. */
const BANDS = [0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0];

/** Which loop filter runs (RFC 6386, section 15). */
export type LoopFilter = 'none' | 'simple' | 'normal';

/** Everything that holds for the whole frame. */
export interface Vp8Header {
  readonly width: number;
  readonly height: number;
  /** First partition, positioned at the macroblock modes. */
  readonly modes: BoolDecoder;
  /** Token partitions: row `y` reads from number `y % length`, a power of two. */
  readonly partitions: readonly BoolDecoder[];
  /** True where each macroblock names its segment. */
  readonly hasSegmentMap: boolean;
  /** Tree probabilities of the segment number. */
  readonly segmentProbs: Uint8Array;
  /** `[SEGMENTS][STEPS_PER_SEGMENT]`. */
  readonly steps: Int32Array;
  readonly loopFilter: LoopFilter;
  /** Filter level 0 to 63, `[SEGMENTS][whole | split macroblock]`. */
  readonly filterLevels: Uint8Array;
  readonly sharpness: number;
  /** Token probabilities laid out by position: `[BLOCK_TYPES][17][COEFF_CONTEXTS][TOKEN_PROBS]`. */
  readonly tokenProbs: Uint8Array;
  /** Probability that a macroblock has coefficients; undefined where all are coded. */
  readonly skipProb: number | undefined;
}

interface Segmentation {
  enabled: boolean;
  hasMap: boolean;
  absolute: boolean;
  readonly quantizers: Int32Array;
  readonly filterStrengths: Int32Array;
  readonly probs: Uint8Array;
}

/**
 * Reads the frame header.
 *
 * @param data a VP8 bitstream that passed `readBitstreamFeatures`; may end early
 * @throws {ImageError} `corrupt_image`; `truncated_image` where the first partition is not all there or no token
 *   partition begins
 */
export function readVp8Header(data: Uint8Array): Vp8Header {
  const firstPartBytes = readU24(data, 0) >> 5;
  const width = readU16(data, 6) & 0x3fff;
  const height = readU16(data, 8) & 0x3fff;
  const tokensAt = 10 + firstPartBytes;
  if (tokensAt > data.length) {
    throw truncatedWebp(`first partition has ${data.length - 10} of ${firstPartBytes} bytes`, {
      declaredBytes: firstPartBytes,
      presentBytes: data.length - 10,
    });
  }
  const modes = new BoolDecoder(data, 10, tokensAt);
  // Colour space and clamping type: libwebp ignores both, and always clamps.
  modes.readLiteral(2);
  const segmentation = readSegmentation(modes);
  if (modes.exhausted) throw corruptWebp('VP8 header ends inside the segment fields');
  const simple = modes.readFlag();
  const level = modes.readLiteral(6);
  const sharpness = modes.readLiteral(3);
  const { refDelta, splitDelta } = readFilterDeltas(modes);
  if (modes.exhausted) throw corruptWebp('VP8 header ends inside the filter fields');
  const partitions = readPartitions(modes, data, tokensAt);
  const steps = readSteps(modes, segmentation);
  // refresh_entropy_probs: means nothing for a single key frame.
  modes.readFlag();
  const tokenProbs = readTokenProbs(modes);
  const skipProb = modes.readFlag() ? modes.readLiteral(8) : undefined;
  return {
    width,
    height,
    modes,
    partitions,
    hasSegmentMap: segmentation.hasMap,
    segmentProbs: segmentation.probs,
    steps,
    loopFilter: level === 0 ? 'none' : simple ? 'simple' : 'normal',
    filterLevels: filterLevels(segmentation, level, refDelta, splitDelta),
    sharpness,
    tokenProbs,
    skipProb,
  };
}

/** Section 9.3. */
function readSegmentation(modes: BoolDecoder): Segmentation {
  const segmentation: Segmentation = {
    enabled: modes.readFlag(),
    hasMap: false,
    absolute: true,
    quantizers: new Int32Array(SEGMENTS),
    filterStrengths: new Int32Array(SEGMENTS),
    probs: new Uint8Array(3).fill(255),
  };
  if (!segmentation.enabled) return segmentation;
  segmentation.hasMap = modes.readFlag();
  if (modes.readFlag()) {
    segmentation.absolute = modes.readFlag();
    for (let s = 0; s < SEGMENTS; s++) segmentation.quantizers[s] = modes.readOptionalSigned(7);
    for (let s = 0; s < SEGMENTS; s++) segmentation.filterStrengths[s] = modes.readOptionalSigned(6);
  }
  if (segmentation.hasMap) {
    for (let i = 0; i < 3; i++) segmentation.probs[i] = modes.readFlag() ? modes.readLiteral(8) : 255;
  }
  return segmentation;
}

/** Section 9.6: of the eight deltas only those of intra frames and of split macroblocks apply to a key frame. */
function readFilterDeltas(modes: BoolDecoder): { refDelta: number; splitDelta: number } {
  const deltas = new Int32Array(8);
  const enabled = modes.readFlag();
  if (enabled && modes.readFlag()) {
    for (let i = 0; i < 8; i++) deltas[i] = modes.readOptionalSigned(6);
  }
  return { refDelta: deltas[0]!, splitDelta: deltas[4]! };
}

/** Section 9.5. A partition that claims more than there is gets what is left, the last one all of it. */
function readPartitions(modes: BoolDecoder, data: Uint8Array, at: number): BoolDecoder[] {
  const count = 1 << modes.readLiteral(2);
  let start = at + 3 * (count - 1);
  if (start >= data.length) {
    throw truncatedWebp(`no token data: ${count} partitions after ${at} of ${data.length} bytes`, {
      presentBytes: data.length,
    });
  }
  const partitions: BoolDecoder[] = [];
  for (let i = 0; i < count - 1; i++) {
    const end = Math.min(start + readU24(data, at + 3 * i), data.length);
    partitions.push(new BoolDecoder(data, start, end));
    start = end;
  }
  if (start >= data.length) {
    throw truncatedWebp(`the last of ${count} token partitions is empty`, { presentBytes: data.length });
  }
  partitions.push(new BoolDecoder(data, start, data.length));
  return partitions;
}

/** Sections 9.6 and 14.1. */
function readSteps(modes: BoolDecoder, segmentation: Segmentation): Int32Array {
  const base = modes.readLiteral(7);
  const lumaDcDelta = modes.readOptionalSigned(4);
  const y2DcDelta = modes.readOptionalSigned(4);
  const y2AcDelta = modes.readOptionalSigned(4);
  const chromaDcDelta = modes.readOptionalSigned(4);
  const chromaAcDelta = modes.readOptionalSigned(4);
  const steps = new Int32Array(SEGMENTS * STEPS_PER_SEGMENT);
  for (let s = 0; s < SEGMENTS; s++) {
    let q = base;
    if (segmentation.enabled) q = segmentation.quantizers[s]! + (segmentation.absolute ? 0 : base);
    const at = s * STEPS_PER_SEGMENT;
    steps[at] = DC_STEPS[clip(q + lumaDcDelta, 127)]!;
    steps[at + 1] = AC_STEPS[clip(q, 127)]!;
    steps[at + 2] = DC_STEPS[clip(q + y2DcDelta, 127)]! * 2;
    steps[at + 3] = Math.max(8, (AC_STEPS[clip(q + y2AcDelta, 127)]! * 101581) >> 16);
    steps[at + 4] = DC_STEPS[clip(q + chromaDcDelta, 117)]!;
    steps[at + 5] = AC_STEPS[clip(q + chromaAcDelta, 127)]!;
  }
  return steps;
}

/** Sections 9.9 and 13.4, then spread from bands to positions. */
function readTokenProbs(modes: BoolDecoder): Uint8Array {
  const byBand = new Uint8Array(BLOCK_TYPES * COEFF_BANDS * POSITION_PROBS);
  for (let i = 0; i < byBand.length; i++) {
    byBand[i] = modes.readBit(TOKEN_PROB_UPDATE_PROBS[i]!) === 1 ? modes.readLiteral(8) : DEFAULT_TOKEN_PROBS[i]!;
  }
  const byPosition = new Uint8Array(BLOCK_TYPES * TYPE_PROBS);
  for (let type = 0; type < BLOCK_TYPES; type++) {
    for (let n = 0; n < POSITIONS; n++) {
      const from = (type * COEFF_BANDS + BANDS[n]!) * POSITION_PROBS;
      byPosition.set(byBand.subarray(from, from + POSITION_PROBS), type * TYPE_PROBS + n * POSITION_PROBS);
    }
  }
  return byPosition;
}

/** Section 9.6 and libwebp `PrecomputeFilterStrengths`. */
function filterLevels(segmentation: Segmentation, level: number, refDelta: number, splitDelta: number): Uint8Array {
  const levels = new Uint8Array(SEGMENTS * 2);
  for (let s = 0; s < SEGMENTS; s++) {
    let base = level;
    if (segmentation.enabled) base = segmentation.filterStrengths[s]! + (segmentation.absolute ? 0 : level);
    levels[s * 2] = clip(base + refDelta, 63);
    levels[s * 2 + 1] = clip(base + refDelta + splitDelta, 63);
  }
  return levels;
}

function clip(value: number, max: number): number {
  return value < 0 ? 0 : Math.min(value, max);
}
