/** What the kernels need of the memory besides constants: borders around 8-bit maps, scratch. Pure. */
import {
  type Border,
  convolutionScratchBytes,
  productDepth,
  rowStride,
  stemScratchBytes,
  winograd4ScratchBytes,
  winogradScratchBytes,
} from './layout.ts';
import type { ConvolutionStep, Int8Network, Window } from './network.ts';

interface Size {
  readonly height: number;
  readonly width: number;
}

/** Inputs above which the sums of Winograd's products might not fit 32 bits. */
const MAX_WINOGRAD_INPUTS = 1024;

/** Columns whose weights sum to no more than this are exact by F(4x4, 3x3): 64 * 255 times it fits 32 bits. */
export const MAX_WINOGRAD4_WEIGHT_SUM = 131_586;

/** Tiles of 4x4 are multiplied four at a time, and pay where few of their outputs are outside: not for 14x14 (docs/bench/int8.md). */
const MIN_WINOGRAD4_TILES = 4;
const MAX_WINOGRAD4_WASTE = 1.15;

/**
 * Edge of the Winograd tiles that a convolution is computed by: null for none, 2, or 4 if its weights allow it. The border of its map and the
 * scratch are enough for 2 then too.
 */
export function winogradTile({ window, residual, input, output }: ConvolutionStep, network: Int8Network): 2 | 4 | null {
  const { kernel, stride, dilation } = window;
  const isWinograd = kernel === 3 && stride === 1 && dilation === 1 && residual === null;
  if (!isWinograd || network.values[input]!.channels > MAX_WINOGRAD_INPUTS) return null;
  const { height, width } = network.values[output]!;
  const tiles = Math.ceil(height / 4) * Math.ceil(width / 4);
  return tiles >= MIN_WINOGRAD4_TILES && 16 * tiles <= MAX_WINOGRAD4_WASTE * height * width ? 4 : 2;
}

/** The border that windows read: what is before the map, and what the last window takes behind it. */
export function windowBorder({ kernel, stride, dilation, pads }: Window, input: Size, output: Size): Border {
  const reach = dilation * (kernel - 1) + 1;
  const [top, left] = pads;
  return {
    top,
    left,
    bottom: Math.max(0, (output.height - 1) * stride + reach - top - input.height),
    right: Math.max(0, (output.width - 1) * stride + reach - left - input.width),
  };
}

/** The border of each 8-bit map, by its value's id: the largest that a convolution reads. Null for values that none reads. */
export function mapBorders(network: Int8Network): (Border | null)[] {
  const borders = new Array<Border | null>(network.values.length).fill(null);
  for (const step of network.steps) {
    if (step.kind !== 'convolution') continue;
    const { height, width } = network.values[step.output]!;
    // Winograd computes whole tiles.
    const tile = winogradTile(step, network) ?? 1;
    const output = { height: Math.ceil(height / tile) * tile, width: Math.ceil(width / tile) * tile };
    const border = windowBorder(step.window, network.values[step.input]!, output);
    const known = borders[step.input] ?? border;
    borders[step.input] = {
      top: Math.max(known.top, border.top),
      left: Math.max(known.left, border.left),
      bottom: Math.max(known.bottom, border.bottom),
      right: Math.max(known.right, border.right),
    };
  }
  return borders;
}

/** Bytes of scratch that the network's steps share. */
export function scratchBytes(network: Int8Network): number {
  const { values, input } = network;
  let most = 0;
  for (const step of network.steps) {
    if (step.kind === 'stem') {
      const { kernel } = step.window;
      const depth = productDepth(kernel, kernel * input.channels);
      most = Math.max(most, stemScratchBytes(depth, step.width, values[step.output]!.channels));
    } else if (step.kind === 'convolution') {
      const { channels } = values[step.input]!;
      const { height, width } = values[step.output]!;
      const tile = winogradTile(step, network);
      if (tile === 4) most = Math.max(most, winograd4ScratchBytes(height, width, channels));
      if (tile !== null) most = Math.max(most, winogradScratchBytes(height, width, channels));
      else {
        const depth = productDepth(step.window.kernel ** 2, channels);
        most = Math.max(most, convolutionScratchBytes(depth, height * width));
      }
    } else if (step.kind === 'classifier') {
      const depth = rowStride(values[step.input]!.channels);
      most = Math.max(most, depth + convolutionScratchBytes(depth, 1));
    }
  }
  return most;
}

/** Bytes of the factors and offsets of a group norm: two for each channel of the widest. */
export function factorsBytes(network: Int8Network): number {
  let most = 0;
  for (const step of network.steps) {
    if (step.kind === 'norm') most = Math.max(most, 8 * rowStride(network.values[step.input]!.channels));
  }
  return most;
}
