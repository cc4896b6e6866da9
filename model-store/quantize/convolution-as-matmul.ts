/**
 * A quantized convolution as one matrix product: rows of windows times the kernel, [positions, taps * inputs] times
 * [taps * inputs, outputs]. onnxruntime's ConvInteger gathers single bytes and packs the whole kernel again for every
 * 128 positions of the output; channels last, a tap of a window is one copy. docs/bench/int8.md has the figures.
 * Pure, no I/O.
 */
import type { GraphBuilder } from '../graph/graph-builder.ts';
import type { Convolution } from '../graph/network.ts';
import type { Pads, SpatialSize, Window } from '../graph/padding.ts';
import type { Quantization } from './activation-range.ts';
import { WEIGHT_ZERO_POINT } from './quantize-weights.ts';
import { emitReshape, type FixedMap, positionsOf } from './rows.ts';

/** Rows of 8 bits, and what they stand for. */
export interface QuantizedRows extends Quantization {
  /** Name of the rows, uint8 [N, positions, channels]. */
  readonly name: string;
}

/** Weights of a product: real = (data - 128) * scales[output channel]. */
export interface ProductWeights {
  /** [output channels, input channels, taps]. */
  readonly data: Uint8Array;
  readonly scales: Float32Array;
}

/** Emits a convolution of rows; returns the name of the result, float32 [N, output positions, output channels]. */
export function emitConvolutionOfRows(
  graph: GraphBuilder,
  rows: QuantizedRows,
  input: FixedMap,
  weights: ProductWeights,
  { name, window, pads, outputSize }: Pick<Convolution, 'name' | 'window' | 'pads' | 'outputSize'>,
): string {
  const windows = emitWindows(graph, name, rows, input, window, pads!, outputSize!);
  return emitProduct(graph, name, { ...rows, name: windows }, weights, window.kernel ** 2);
}

/**
 * Emits rows [N, positions, taps * inputs] times a kernel; returns the name of the result, float32
 * [N, positions, outputs].
 * @param bias one for each output channel, or null.
 */
export function emitProduct(
  graph: GraphBuilder,
  name: string,
  { name: rows, scale, zeroPoint }: QuantizedRows,
  { data, scales }: ProductWeights,
  taps: number,
  bias: Float32Array | null = null,
): string {
  const outputs = scales.length;
  const inputs = data.length / outputs / taps;
  const operands = [
    rows,
    graph.constant(`${name}.weight`, 'uint8', [taps * inputs, outputs], tapsFirst(data, outputs, inputs, taps)),
    graph.float32(`scale_${scale}`, [], [scale]),
    graph.float32(`${name}.scales`, [outputs], scales),
    graph.uint8(`zero_point_${zeroPoint}`, [], [zeroPoint]),
    graph.uint8(`zero_point_${WEIGHT_ZERO_POINT}`, [], [WEIGHT_ZERO_POINT]),
  ];
  if (bias !== null) operands.push(graph.float32(`${name}.bias`, [outputs], bias));
  return graph.node('MatMulIntegerToFloat', name, operands, { domain: 'com.microsoft' });
}

/** Emits the rows that the kernel is multiplied with: each window's, tap after tap. */
function emitWindows(
  graph: GraphBuilder,
  name: string,
  { name: rows, zeroPoint }: QuantizedRows,
  input: FixedMap,
  window: Window,
  pads: Pads,
  outputSize: SpatialSize,
): string {
  const { kernel, stride, dilation } = window;
  if (kernel === 1 && stride === 1 && pads.every((pad) => pad === 0)) return rows;
  const { height, width } = input.size;
  const indices = windowIndices(input.size, window, pads, outputSize);
  const outside = positionsOf(input);
  // One more row stands for all that lies outside the map.
  const padded = indices.includes(outside)
    ? graph.node('Pad', `${name}.padded`, [
        rows,
        graph.int64('pads_one_row', [0, 0, 0, 0, 1, 0]),
        graph.uint8(`zero_point_${zeroPoint}`, [], [zeroPoint]),
      ])
    : rows;
  const key = [`windows_${height}x${width}`, kernel, stride, dilation, ...pads].join('_');
  const gathered = graph.node('Gather', `${name}.windows`, [padded, graph.int32(key, indices)], {
    attributes: { axis: 1 },
  });
  if (kernel === 1) return gathered;
  const shape = [-1, outputSize.height * outputSize.width, kernel * kernel * input.channels];
  return emitReshape(graph, `${name}.rows`, gathered, shape);
}

/** Which row each tap of each window reads; one past the last where that is outside. */
function windowIndices(size: SpatialSize, window: Window, [top, left]: Pads, outputSize: SpatialSize): Int32Array {
  const { kernel, stride, dilation } = window;
  const { height, width } = size;
  const indices = new Int32Array(outputSize.height * outputSize.width * kernel * kernel);
  let at = 0;
  for (let row = 0; row < outputSize.height; row++) {
    for (let column = 0; column < outputSize.width; column++) {
      for (let tap = 0; tap < kernel * kernel; tap++) {
        const y = row * stride + Math.floor(tap / kernel) * dilation - top;
        const x = column * stride + (tap % kernel) * dilation - left;
        const isInside = y >= 0 && x >= 0 && y < height && x < width;
        indices[at++] = isInside ? y * width + x : height * width;
      }
    }
  }
  return indices;
}

/** [outputs, inputs, taps] to [taps, inputs, outputs]. */
function tapsFirst(weights: Uint8Array, outputs: number, inputs: number, taps: number): Uint8Array {
  const out = new Uint8Array(weights.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < taps; tap++) {
        out[(tap * inputs + i) * outputs + o] = weights[(o * inputs + i) * taps + tap]!;
      }
    }
  }
  return out;
}
