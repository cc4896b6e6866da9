/**
 * A quantized 3x3 convolution as one matrix product. onnxruntime's ConvInteger packs the whole kernel again for every
 * 128 positions of the output; where there are few positions that costs more than the product, and gathering the windows
 * channels-last first is cheaper: each row of a window is one copy. docs/bench/int8-convolution.md has the figures.
 * Pure, no I/O.
 */
import type { GraphBuilder } from '../graph/graph-builder.ts';
import type { Convolution } from '../graph/network.ts';
import type { SpatialSize } from '../graph/padding.ts';
import { WEIGHT_ZERO_POINT } from './quantize-weights.ts';

/** Output positions up to which the matrix product was faster for every kernel of BiT-R50. */
const MAX_POSITIONS = 196;

/** What is multiplied. */
export interface QuantizedOperands {
  /** Name of the input, uint8 NCHW. */
  readonly quantized: string;
  /** OIHW. */
  readonly weights: Uint8Array;
  readonly zeroPoint: number;
}

/** Whether a convolution is faster as a matrix product; never where its size is free. */
export function isFasterAsMatMul({ window, pads, outputSize }: Convolution, inputSize: SpatialSize | null): boolean {
  if (window.kernel === 1 || pads === null || inputSize === null || outputSize === null) return false;
  return outputSize.height * outputSize.width <= MAX_POSITIONS;
}

/** Emits the product; returns the name of the sums, int32 NCHW. */
export function emitConvolutionAsMatMul(
  graph: GraphBuilder,
  { quantized, weights, zeroPoint }: QuantizedOperands,
  { name, kernel, window, pads, outputSize }: Convolution,
  outChannels: number,
): string {
  const { kernel: taps, stride, dilation } = window;
  const { height, width } = outputSize!;
  const [top, left, bottom, right] = pads!;
  const inChannels = kernel.shape[1]!;
  const zero = graph.uint8(`zero_point_${zeroPoint}`, [], [zeroPoint]);
  const channelsLast = graph.node('Transpose', `${name}.nhwc`, [quantized], { attributes: { perm: [0, 2, 3, 1] } });
  const padded = graph.node('Pad', `${name}.padded`, [
    channelsLast,
    graph.int64(`pads_nhwc_${top}_${left}_${bottom}_${right}`, [0, top, left, 0, 0, bottom, right, 0]),
    zero,
  ]);
  const axes = graph.int64('axes_1_2', [1, 2]);
  const steps = graph.int64(`steps_${stride}`, [stride, stride]);
  const windows: string[] = [];
  for (let y = 0; y < taps * dilation; y += dilation) {
    for (let x = 0; x < taps * dilation; x += dilation) {
      const end = [y + (height - 1) * stride + 1, x + (width - 1) * stride + 1];
      windows.push(
        graph.node('Slice', `${name}.tap`, [
          padded,
          graph.int64(`at_${y}_${x}`, [y, x]),
          graph.int64(`at_${end.join('_')}`, end),
          axes,
          steps,
        ]),
      );
    }
  }
  const gathered = graph.node('Concat', `${name}.windows`, windows, { attributes: { axis: 3 } });
  const rows = graph.node('Reshape', `${name}.rows`, [
    gathered,
    graph.int64(`rows_${height * width}_${taps * taps * inChannels}`, [-1, height * width, taps * taps * inChannels]),
  ]);
  const product = graph.node('MatMulInteger', `${name}.product`, [
    rows,
    graph.constant(
      `${name}.weight`,
      'uint8',
      [taps * taps * inChannels, outChannels],
      tapsFirst(weights, outChannels, inChannels, taps * taps),
    ),
    zero,
    graph.uint8(`zero_point_${WEIGHT_ZERO_POINT}`, [], [WEIGHT_ZERO_POINT]),
  ]);
  const channelsFirst = graph.node('Transpose', `${name}.nchw`, [product], { attributes: { perm: [0, 2, 1] } });
  return graph.node('Reshape', name, [
    channelsFirst,
    graph.int64(`sums_${outChannels}_${height}_${width}`, [-1, outChannels, height, width]),
  ]);
}

/** OIHW to [taps, input channels, output channels]. */
function tapsFirst(weights: Uint8Array, outChannels: number, inChannels: number, taps: number): Uint8Array {
  const out = new Uint8Array(weights.length);
  for (let o = 0; o < outChannels; o++) {
    for (let i = 0; i < inChannels; i++) {
      for (let tap = 0; tap < taps; tap++) {
        out[(tap * inChannels + i) * outChannels + o] = weights[(o * inChannels + i) * taps + tap]!;
      }
    }
  }
  return out;
}
