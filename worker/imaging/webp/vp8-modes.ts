/**
 * Macroblock headers: segment, skip flag and intra modes (RFC 6386, sections 9.3, 11 and 19.3;
 * libwebp src/dec/tree_dec.c `ParseIntraMode`).
 */
import type { BoolDecoder } from './bool-decoder.ts';
import type { Vp8Header } from './vp8-header.ts';
import { SUBBLOCK_MODE_PROBS } from './vp8-tables.ts';

/** Modes of 16x16 luma and 8x8 chroma blocks; the first four subblock modes that carry the same names. */
export const DC_PRED = 0;
export const TM_PRED = 1;
export const V_PRED = 2;
export const H_PRED = 3;

/** Further modes of 4x4 luma subblocks. */
export const RD_PRED = 4;
export const VR_PRED = 5;
export const LD_PRED = 6;
export const VL_PRED = 7;
export const HD_PRED = 8;
export const HU_PRED = 9;

/** Stands in for the luma mode of a macroblock whose sixteen subblocks have modes of their own. */
export const SPLIT_PRED = 10;

/** Headers of one row of macroblocks; `mbWidth` entries each. */
export class MacroblockModes {
  readonly segment: Uint8Array;
  /** 1 where the macroblock has no coefficients. */
  readonly skip: Uint8Array;
  /** `DC_PRED` to `H_PRED`, or `SPLIT_PRED`. */
  readonly luma: Uint8Array;
  readonly chroma: Uint8Array;
  /** Sixteen subblock modes a macroblock, row-major; set where `luma` is `SPLIT_PRED`. */
  readonly subblocks: Uint8Array;
  /** Subblock modes of the bottom edge above; four a macroblock. */
  private readonly above: Uint8Array;
  private readonly left: Uint8Array;

  constructor(mbWidth: number) {
    this.segment = new Uint8Array(mbWidth);
    this.skip = new Uint8Array(mbWidth);
    this.luma = new Uint8Array(mbWidth);
    this.chroma = new Uint8Array(mbWidth);
    this.subblocks = new Uint8Array(mbWidth * 16);
    this.above = new Uint8Array(mbWidth * 4);
    this.left = new Uint8Array(4);
  }

  /** Reads the next row. What lies outside the frame counts as `DC_PRED`. */
  readRow(header: Vp8Header): void {
    this.left.fill(DC_PRED);
    for (let mbX = 0; mbX < this.segment.length; mbX++) this.readMacroblock(header, mbX);
  }

  private readMacroblock(header: Vp8Header, mbX: number): void {
    const { modes, segmentProbs, skipProb } = header;
    if (header.hasSegmentMap) {
      this.segment[mbX] =
        modes.readBit(segmentProbs[0]!) === 0 ? modes.readBit(segmentProbs[1]!) : 2 + modes.readBit(segmentProbs[2]!);
    }
    if (skipProb !== undefined) this.skip[mbX] = modes.readBit(skipProb);
    if (modes.readBit(145) === 1) {
      const mode = readLumaMode(modes);
      this.luma[mbX] = mode;
      this.above.fill(mode, mbX * 4, mbX * 4 + 4);
      this.left.fill(mode);
    } else {
      this.luma[mbX] = SPLIT_PRED;
      this.readSubblockModes(modes, mbX);
    }
    this.chroma[mbX] = readChromaMode(modes);
  }

  private readSubblockModes(modes: BoolDecoder, mbX: number): void {
    const { above, left, subblocks } = this;
    for (let y = 0; y < 4; y++) {
      let mode = left[y]!;
      for (let x = 0; x < 4; x++) {
        mode = readSubblockMode(modes, (above[mbX * 4 + x]! * 10 + mode) * 9);
        above[mbX * 4 + x] = mode;
        subblocks[mbX * 16 + y * 4 + x] = mode;
      }
      left[y] = mode;
    }
  }
}

/** Section 11.2, `kf_ymode_tree`. */
function readLumaMode(modes: BoolDecoder): number {
  if (modes.readBit(156) === 1) return modes.readBit(128) === 1 ? TM_PRED : H_PRED;
  return modes.readBit(163) === 1 ? V_PRED : DC_PRED;
}

/** Section 11.2, `uv_mode_tree`. */
function readChromaMode(modes: BoolDecoder): number {
  if (modes.readBit(142) === 0) return DC_PRED;
  if (modes.readBit(114) === 0) return V_PRED;
  return modes.readBit(183) === 1 ? TM_PRED : H_PRED;
}

/** Section 11.2, `bmode_tree`; `p` is the offset of the context's nine probabilities. */
function readSubblockMode(modes: BoolDecoder, p: number): number {
  const probs = SUBBLOCK_MODE_PROBS;
  if (modes.readBit(probs[p]!) === 0) return DC_PRED;
  if (modes.readBit(probs[p + 1]!) === 0) return TM_PRED;
  if (modes.readBit(probs[p + 2]!) === 0) return V_PRED;
  if (modes.readBit(probs[p + 3]!) === 0) {
    if (modes.readBit(probs[p + 4]!) === 0) return H_PRED;
    return modes.readBit(probs[p + 5]!) === 0 ? RD_PRED : VR_PRED;
  }
  if (modes.readBit(probs[p + 6]!) === 0) return LD_PRED;
  if (modes.readBit(probs[p + 7]!) === 0) return VL_PRED;
  return modes.readBit(probs[p + 8]!) === 0 ? HD_PRED : HU_PRED;
}
