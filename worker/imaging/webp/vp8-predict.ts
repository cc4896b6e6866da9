/**
 * Intra prediction of 16x16 luma and 8x8 chroma blocks (RFC 6386, sections 12.2 and 12.3; libwebp src/dsp/dec.c).
 * Every function writes the block at `at`, reading the row above and the column to the left of it.
 */
import { DC_PRED, H_PRED, TM_PRED, V_PRED } from './vp8-modes.ts';
import type { ReconPlane } from './vp8-plane.ts';

/** What a block gets that has neither a row above nor a column to the left. */
const NO_NEIGHBOURS = 0x80;

/**
 * Predicts a whole block of `plane.size` samples square.
 *
 * @param at index of its top left sample
 * @param hasAbove false in the frame's first row; matters to `DC_PRED` alone, other modes read the border
 * @param hasLeft false in the frame's first column
 */
export function predictBlock(plane: ReconPlane, at: number, mode: number, hasAbove: boolean, hasLeft: boolean): void {
  switch (mode) {
    case DC_PRED:
      fillBlock(plane, at, dcValue(plane, at, hasAbove, hasLeft));
      break;
    case TM_PRED:
      predictTrueMotion(plane, at);
      break;
    case V_PRED:
      predictVertical(plane, at);
      break;
    case H_PRED:
      predictHorizontal(plane, at);
      break;
  }
}

/** Mean of the neighbours that exist, rounded. */
function dcValue(plane: ReconPlane, at: number, hasAbove: boolean, hasLeft: boolean): number {
  const { bytes, stride, size } = plane;
  if (!hasAbove && !hasLeft) return NO_NEIGHBOURS;
  let sum = 0;
  if (hasAbove) {
    for (let i = at - stride, end = i + size; i < end; i++) sum += bytes[i]!;
  }
  if (hasLeft) {
    for (let y = 0, i = at - 1; y < size; y++, i += stride) sum += bytes[i]!;
  }
  const log2 = (size === 16 ? 4 : 3) + (hasAbove && hasLeft ? 1 : 0);
  return (sum + (1 << (log2 - 1))) >> log2;
}

function fillBlock(plane: ReconPlane, at: number, value: number): void {
  const { words, stride, size } = plane;
  const word = Math.imul(value, 0x01010101);
  const wordStride = stride >> 2;
  const wordsPerRow = size >> 2;
  for (let y = 0, row = at >> 2; y < size; y++, row += wordStride) {
    for (let i = row; i < row + wordsPerRow; i++) words[i] = word;
  }
}

function predictVertical(plane: ReconPlane, at: number): void {
  const { words, stride, size } = plane;
  const wordStride = stride >> 2;
  const wordsPerRow = size >> 2;
  const first = at >> 2;
  for (let x = first; x < first + wordsPerRow; x++) {
    const word = words[x - wordStride]!;
    for (let y = 0, i = x; y < size; y++, i += wordStride) words[i] = word;
  }
}

function predictHorizontal(plane: ReconPlane, at: number): void {
  const { bytes, words, stride, size } = plane;
  const wordsPerRow = size >> 2;
  for (let y = 0, row = at; y < size; y++, row += stride) {
    const word = Math.imul(bytes[row - 1]!, 0x01010101);
    const first = row >> 2;
    for (let i = first; i < first + wordsPerRow; i++) words[i] = word;
  }
}

/** TM_PRED: left + above - corner, clamped by the element type. */
function predictTrueMotion(plane: ReconPlane, at: number): void {
  const { bytes, stride, size } = plane;
  const above = at - stride;
  const corner = bytes[above - 1]!;
  for (let y = 0, row = at; y < size; y++, row += stride) {
    const base = bytes[row - 1]! - corner;
    for (let x = 0; x < size; x++) bytes[row + x] = base + bytes[above + x]!;
  }
}
