/**
 * Prediction plus residual of one macroblock (RFC 6386, sections 12 and 14; libwebp src/dec/frame_dec.c
 * `ReconstructRow`).
 */
import { addDc, addIdct, addIdct16, addIdctFirstThree } from './vp8-idct.ts';
import { type MacroblockModes, SPLIT_PRED } from './vp8-modes.ts';
import type { ReconPlane } from './vp8-plane.ts';
import { predictBlock } from './vp8-predict.ts';
import { predictSubblock } from './vp8-predict4.ts';
import { BLOCK_DC_ONLY, BLOCK_EMPTY, BLOCK_FIRST_THREE, BLOCK_OVERFLOW } from './vp8-tokens.ts';

/**
 * Reconstructs macroblock `mbX` of the row that the planes hold.
 *
 * @param coded false where there is no residual
 * @param coeffs dequantized coefficients, 24 blocks of 16
 * @param kinds what each block holds
 */
export function addBlocks(
  luma: ReconPlane,
  u: ReconPlane,
  v: ReconPlane,
  modes: MacroblockModes,
  mbX: number,
  mbY: number,
  coded: boolean,
  coeffs: Int16Array,
  kinds: Uint8Array,
): void {
  const hasAbove = mbY > 0;
  const hasLeft = mbX > 0;
  const at = luma.origin + mbX * 16;
  const mode = modes.luma[mbX]!;
  if (mode === SPLIT_PRED) {
    reconstructSubblocks(luma, at, modes.subblocks, mbX * 16, coded, coeffs, kinds);
  } else {
    predictBlock(luma, at, mode, hasAbove, hasLeft);
    if (coded) {
      for (let n = 0; n < 16; n++) {
        addResidual(kinds[n]!, coeffs, n * 16, luma, at + (n >> 2) * 4 * luma.stride + (n & 3) * 4);
      }
    }
  }
  const chromaAt = u.origin + mbX * 8;
  const chromaMode = modes.chroma[mbX]!;
  predictBlock(u, chromaAt, chromaMode, hasAbove, hasLeft);
  predictBlock(v, chromaAt, chromaMode, hasAbove, hasLeft);
  if (!coded) return;
  for (let n = 0; n < 4; n++) {
    const to = chromaAt + (n >> 1) * 4 * u.stride + (n & 1) * 4;
    addResidual(kinds[16 + n]!, coeffs, (16 + n) * 16, u, to);
    addResidual(kinds[20 + n]!, coeffs, (20 + n) * 16, v, to);
  }
}

/**
 * Sixteen subblocks, each predicted from those before it. The ones at the right edge read the samples above and
 * right of the macroblock in all four rows (RFC 6386, section 12.3), so those are repeated where the next
 * macroblock will come to lie.
 */
function reconstructSubblocks(
  luma: ReconPlane,
  at: number,
  subblocks: Uint8Array,
  firstMode: number,
  coded: boolean,
  coeffs: Int16Array,
  kinds: Uint8Array,
): void {
  const { bytes, words, stride } = luma;
  const aboveRight = (at - stride + 16) >> 2;
  words[aboveRight + stride] = words[aboveRight]!;
  words[aboveRight + 2 * stride] = words[aboveRight]!;
  words[aboveRight + 3 * stride] = words[aboveRight]!;
  for (let n = 0; n < 16; n++) {
    const to = at + (n >> 2) * 4 * stride + (n & 3) * 4;
    predictSubblock(subblocks[firstMode + n]!, bytes, words, to, stride);
    if (coded) addResidual(kinds[n]!, coeffs, n * 16, luma, to);
  }
}

function addResidual(kind: number, coeffs: Int16Array, block: number, plane: ReconPlane, to: number): void {
  if (kind === BLOCK_EMPTY) return;
  if (kind === BLOCK_DC_ONLY) addDc(coeffs[block]!, plane.bytes, to, plane.stride);
  else if (kind === BLOCK_FIRST_THREE) addIdctFirstThree(coeffs, block, plane.bytes, to, plane.stride);
  else if (kind === BLOCK_OVERFLOW) addIdct16(coeffs, block, plane.bytes, to, plane.stride);
  else addIdct(coeffs, block, plane.bytes, to, plane.stride);
}
