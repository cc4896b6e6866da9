/** What the kernels need of the memory besides constants: borders around 8-bit maps, scratch. Pure. */
import {
  type Border,
  convolutionScratchBytes,
  productDepth,
  rowStride,
  stemScratchBytes,
  usesWinograd,
  winogradScratchBytes,
} from './layout.ts';
import type { ConvolutionStep, Int8Network, Window } from './network.ts';

interface Size {
  readonly height: number;
  readonly width: number;
}

/** Whether a step is computed by Winograd's algorithm. */
export function isWinogradStep(step: ConvolutionStep, network: Int8Network): boolean {
  return step.residual === null && usesWinograd(step.window, network.values[step.input]!.channels);
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
    // Winograd computes whole tiles of 2x2.
    const tile = isWinogradStep(step, network) ? 2 : 1;
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
      const bytes = isWinogradStep(step, network)
        ? winogradScratchBytes(height, width, channels)
        : convolutionScratchBytes(productDepth(step.window.kernel ** 2, channels), height * width);
      most = Math.max(most, bytes);
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
