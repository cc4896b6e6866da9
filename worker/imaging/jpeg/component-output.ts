/**
 * From one component's coefficients to samples in its plane: which transform, which coefficients it reads.
 */
import { BEYOND_4X4, idct8x8, idct8x8Corner, idctFlat } from './idct.ts';
import { idct2x2, idct4x4, idct4x4Corner } from './idct-reduced.ts';
import { idctSaturating } from './idct-saturating.ts';
import { NATURAL_ORDER } from './markers.ts';
import { OVERFLOWS } from './sequential.ts';

/** Position for coefficients that the transform does not read: behind the block. */
export const UNREAD_POSITION = 64;

/** Coefficients of a block buffer: the block and one place for all that nobody reads. */
export const BLOCK_BUFFER_LENGTH = 72;

/** A block to decode into, and the means to clear it fast. */
export class BlockBuffer {
  readonly coefficients = new Int16Array(BLOCK_BUFFER_LENGTH);
  private readonly quads = new Float64Array(this.coefficients.buffer);

  /** Sets all coefficients of the block to zero. */
  clear(): void {
    const { quads } = this;
    for (let i = 0; i < 16; i++) quads[i] = 0;
  }
}

/** True where the transform to `blockSize` samples reads the coefficient at a natural position. */
export function transformReads(position: number, blockSize: number): boolean {
  const row = position >> 3;
  const column = position & 7;
  switch (blockSize) {
    case 1:
      return position === 0;
    case 2:
      return (row === 0 || (row & 1) === 1) && (column === 0 || (column & 1) === 1);
    case 4:
      return row !== 4 && column !== 4;
    default:
      return true;
  }
}

/**
 * True where a block buffer has to hold the coefficient at a natural position: those that the transform reads, and at 4x4
 * all others too, for whether they are zero decides how libjpeg-turbo's SIMD code overflows.
 */
export function blockHolds(position: number, blockSize: number): boolean {
  return blockSize === 4 || transformReads(position, blockSize);
}

/** Natural positions by zigzag index, `UNREAD_POSITION` for what a block buffer does not have to hold. */
export function blockOrder(blockSize: number): Uint8Array {
  return NATURAL_ORDER.map((position) => (blockHolds(position, blockSize) ? position : UNREAD_POSITION));
}

/**
 * The multipliers of a quantization table in zigzag order, 80 entries as `NATURAL_ORDER`, as signed 16-bit numbers: that is
 * what libjpeg-turbo keeps of 16-bit tables (jdct.h `ISLOW_MULT_TYPE`).
 *
 * @param table 64 values in natural order; undefined counts as all zero
 */
export function zigzagMultipliers(table: Uint16Array | undefined): Int32Array {
  return Int32Array.from(NATURAL_ORDER, (position) => ((table?.[position] ?? 0) << 16) >> 16);
}

/**
 * Transforms a dequantized block.
 *
 * @param block coefficients in natural order from `b`
 * @param used positions of the nonzero AC coefficients OR-ed, and `OVERFLOWS`
 * @param size 2, 4 or 8
 */
export function transformBlock(
  block: Int16Array,
  b: number,
  used: number,
  size: number,
  plane: Uint8ClampedArray,
  at: number,
  stride: number,
): void {
  if ((used & OVERFLOWS) !== 0) idctSaturating(block, b, size, plane, at, stride);
  else if (used === 0) idctFlat(block[b]!, size, plane, at, stride);
  else if (size === 8) {
    if ((used & BEYOND_4X4) === 0) idct8x8Corner(block, b, plane, at, stride);
    else idct8x8(block, b, plane, at, stride);
  } else if (size === 4) {
    if ((used & BEYOND_4X4) === 0) idct4x4Corner(block, b, plane, at, stride);
    else idct4x4(block, b, plane, at, stride);
  } else idct2x2(block, b, plane, at, stride);
}
