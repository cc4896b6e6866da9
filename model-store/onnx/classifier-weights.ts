/**
 * One label's row of a BiT graph's classifier: what multiplies each channel of the pooled features. Pure but for the reader that is
 * passed in.
 */
import { ModelError } from '../../worker/errors.ts';
import type { OnnxGraph, OnnxNode, OnnxTensorReference } from './onnx-model.ts';

/** How an int8 graph rounds the pooled features before it multiplies them: (q - zeroPoint) * scale, q from 0 to 255. */
export interface PooledQuantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** One label's part of a classifier. */
export interface ClassifierRow {
  /** One for each channel, in the checkpoint's order. */
  readonly weights: Float32Array;
  readonly bias: number;
  /** Null in floating point. */
  readonly quantization: PooledQuantization | null;
}

/** Reads a part of a tensor's data. */
export type ReadTensor = (
  tensor: OnnxTensorReference,
  offset: number,
  bytes: number,
) => Promise<ReadableStream<Uint8Array>>;

/**
 * Reads a label's row. In float32 it is one run of bytes; in int8 a column, of which nothing but its own bytes is kept.
 * @param groups of the network's group norms: an int8 graph interleaves them (build/quantize/channel-order.ts).
 * @throws ModelError `unsupported_output` for a graph whose logits are made in another way.
 */
export async function readClassifierRow(
  graph: OnnxGraph,
  label: number,
  groups: number,
  read: ReadTensor,
): Promise<ClassifierRow> {
  const node = producerOf(graph, 'logits');
  const tensors = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const tensorOf = (input: number): OnnxTensorReference => {
    const tensor = tensors.get(node.inputs[input] ?? '');
    if (tensor === undefined) throw unsupported(node);
    return tensor;
  };
  const valueAt = async (input: number, at: number): Promise<number> => {
    const bytes = await readAll(await read(tensorOf(input), 4 * at, 4), 4);
    return new DataView(bytes.buffer).getFloat32(0, true);
  };
  if (node.opType === 'Gemm') {
    const weight = tensorOf(1);
    const [labels = 0, channels = 0] = weight.shape;
    if (weight.dtype !== 'float32' || label >= labels) throw unsupported(node);
    const bytes = await readAll(await read(weight, 4 * channels * label, 4 * channels), 4 * channels);
    return { weights: new Float32Array(bytes.buffer), bias: await valueAt(2, label), quantization: null };
  }
  if (node.opType !== 'MatMulIntegerToFloat') throw unsupported(node);
  const weight = tensorOf(1);
  const [channels = 0, labels = 0] = weight.shape;
  if (weight.dtype !== 'uint8' || label >= labels || channels % groups !== 0) throw unsupported(node);
  const weightScale = await valueAt(3, label);
  const zeroPoint = tensorOf(4).data[0] ?? 0;
  const weightZeroPoint = tensorOf(5).data[0] ?? 0;
  const column = await readColumn(await read(weight, 0, channels * labels), labels, label, channels);
  const weights = new Float32Array(channels);
  const perGroup = channels / groups;
  for (const [place, value] of column.entries()) {
    weights[(place % groups) * perGroup + Math.floor(place / groups)] = (value - weightZeroPoint) * weightScale;
  }
  const bias = node.inputs[6] === undefined || node.inputs[6] === '' ? 0 : await valueAt(6, label);
  return { weights, bias, quantization: { scale: await valueAt(2, 0), zeroPoint } };
}

/** The node that makes an output, behind any `Identity`. */
function producerOf({ nodes }: OnnxGraph, output: string): OnnxNode {
  let name = output;
  for (;;) {
    const node = nodes.find(({ outputs }) => outputs.includes(name));
    if (node === undefined) throw new ModelError('unsupported_output', `the graph makes no "${output}"`);
    if (node.opType !== 'Identity') return node;
    name = node.inputs[0] ?? '';
  }
}

function unsupported({ name, opType }: OnnxNode): ModelError {
  return new ModelError('unsupported_output', `the weights of classifier "${name}" (${opType}) cannot be read`);
}

async function readAll(stream: ReadableStream<Uint8Array>, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const chunk of stream) {
    if (at + chunk.byteLength > length) throw truncated(at + chunk.byteLength, length);
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  if (at !== length) throw truncated(at, length);
  return bytes;
}

/** Every `columns`-th byte from `column` on. */
async function readColumn(
  stream: ReadableStream<Uint8Array>,
  columns: number,
  column: number,
  rows: number,
): Promise<Uint8Array> {
  const values = new Uint8Array(rows);
  let row = 0;
  let next = column;
  let start = 0;
  for await (const chunk of stream) {
    for (; next - start < chunk.byteLength && row < rows; next += columns) values[row++] = chunk[next - start]!;
    start += chunk.byteLength;
  }
  if (start !== rows * columns) throw truncated(start, rows * columns);
  return values;
}

function truncated(bytes: number, expected: number): ModelError {
  return new ModelError('model_corrupt', `the classifier's weights have ${bytes} bytes, not ${expected}`);
}
