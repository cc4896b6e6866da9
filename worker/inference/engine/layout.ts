/**
 * How values and weights are laid out in the engine's memory, and what they take: what the memory plan allots and the kernels
 * expect. Pure arithmetic.
 */

/** The first bytes of the memory: the kernels' constants. */
export const KERNEL_DATA_BYTES = 1024;

/** Every address is a multiple of this. */
export const ALIGNMENT_BYTES = 64;

/** Bytes of packed rows that a convolution's block takes: `BLOCK_BYTES` of kernels/product.ts. */
const BLOCK_BYTES = 384 * 1024;

/** Depth that is multiplied at a time: `MAX_PANEL_DEPTH` of kernels/product.ts. */
const MAX_PANEL_DEPTH = 1024;

/** Bytes of transformed inputs that a Winograd block takes: `BLOCK_BYTES` of kernels/winograd.ts. */
const WINOGRAD_BLOCK_BYTES = 416 * 1024;

/** What may be read behind a map: a run is a multiple of 8 bytes. */
const MAP_SLACK_BYTES = 8;

/** Pixels around a u8 map, filled with the zero point. */
export interface Border {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Values in a row of f32 or u8: the channels, rounded up to a multiple of 8. */
export function rowStride(channels: number): number {
  return (channels + 7) & ~7;
}

/** Bytes of f32 rows. */
export function rowsBytes(positions: number, channels: number): number {
  return 4 * positions * rowStride(channels);
}

/** Bytes of a u8 map whose pixels take `pixelBytes`, border included. */
export function mapBytes(height: number, width: number, pixelBytes: number, border: Border): number {
  return (border.top + height + border.bottom) * (border.left + width + border.right) * pixelBytes + MAP_SLACK_BYTES;
}

/** Depth of a product: `runs` runs of `run` bytes, each rounded up to a multiple of 8. */
export function productDepth(runs: number, run: number): number {
  return runs * rowStride(run);
}

/** Bytes of packed weights. */
export function packedWeightBytes(depth: number, outputs: number): number {
  return depth * rowStride(outputs);
}

/** Positions that a convolution of this depth packs at a time. */
export function blockRows(depth: number): number {
  return Math.max(4, Math.floor(BLOCK_BYTES / (2 * depth)) & ~3);
}

/** Bytes of scratch that a convolution takes. */
export function convolutionScratchBytes(depth: number, positions: number): number {
  const rows = Math.min(blockRows(depth), (positions + 3) & ~3);
  return 16 * Math.min(depth, MAX_PANEL_DEPTH) + rows * (2 * depth + 32);
}

/** Bytes of scratch that a Winograd convolution takes. */
export function winogradScratchBytes(height: number, width: number, inputs: number): number {
  const depth = rowStride(inputs);
  const tiles = Math.ceil(height / 2) * Math.ceil(width / 2);
  const block = Math.max(4, Math.floor(WINOGRAD_BLOCK_BYTES / (32 * depth)) & ~3);
  return 2048 + 256 * depth + Math.min(block, (tiles + 3) & ~3) * (32 * depth + 512);
}

/** Tiles that F(4x4, 3x3) transforms at a time: `blockTiles` of kernels/winograd4.ts. */
function winograd4BlockTiles(tiles: number, depth: number): number {
  const most = Math.max(Math.floor(WINOGRAD_BLOCK_BYTES / (72 * depth)) & ~3, 4);
  const blocks = Math.ceil(tiles / most);
  return (Math.ceil(tiles / blocks) + 3) & ~3;
}

/** Bytes of scratch that a Winograd convolution with tiles of 4x4 takes. */
export function winograd4ScratchBytes(height: number, width: number, inputs: number): number {
  const depth = rowStride(inputs);
  const tiles = Math.ceil(height / 4) * Math.ceil(width / 4);
  return 5632 + 576 * depth + winograd4BlockTiles(tiles, depth) * (72 * depth + 1152);
}

/** Bytes of scratch that the stem takes: three lines of its convolution, and a block of it. */
export function stemScratchBytes(depth: number, width: number, outputs: number): number {
  return 3 * rowsBytes(width, outputs) + convolutionScratchBytes(depth, width);
}
