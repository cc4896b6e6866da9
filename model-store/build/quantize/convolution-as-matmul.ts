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
  const outside = positionsOf(input);
  const [top, left, bottom, right] = pads;
  // One more row stands for all that lies outside the map.
  const padded = [top, left, bottom, right].some((pad) => pad > 0)
    ? graph.node('Pad', `${name}.padded`, [
        rows,
        graph.int64('pads_one_row', [0, 0, 0, 0, 1, 0]),
        graph.uint8(`zero_point_${zeroPoint}`, [], [zeroPoint]),
      ])
    : rows;
  const key = [`windows_${height}x${width}`, kernel, stride, dilation, ...pads].join('_');
  const indices = graph.shared(key, (hint) => {
    const lines = linesOfTaps(height, outputSize.height, window, top);
    const columns = linesOfTaps(width, outputSize.width, window, left);
    const offsets = lines.map((y) => (y === null ? outside : y * width));
    const sums = graph.node('Add', `${hint}.sums`, [
      graph.int32(`${hint}.lines`, [outputSize.height, 1, kernel, 1], offsets),
      graph.int32(
        `${hint}.columns`,
        [1, outputSize.width, 1, kernel],
        columns.map((x) => x ?? outside),
      ),
    ]);
    return graph.node('Min', hint, [sums, graph.int32(`outside_${outside}`, [], [outside])]);
  });
  const gathered = graph.node('Gather', `${name}.windows`, [padded, indices], { attributes: { axis: 1 } });
  const shape = [-1, outputSize.height * outputSize.width, kernel * kernel * input.channels];
  return emitReshape(graph, `${name}.rows`, gathered, shape);
}

/** Which line (or column) each tap of each window reads, [output size, kernel]; null where it is outside. */
function linesOfTaps(
  size: number,
  outputSize: number,
  { kernel, stride, dilation }: Window,
  before: number,
): (number | null)[] {
  return Array.from({ length: outputSize * kernel }, (_, i) => {
    const at = Math.floor(i / kernel) * stride + (i % kernel) * dilation - before;
    return at >= 0 && at < size ? at : null;
  });
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
