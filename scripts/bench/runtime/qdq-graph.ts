/**
 * R50x1 by static quantization as onnxruntime does it: u8 activations of min-max ranges, s8 weights by channel, and the outputs of
 * convolutions requantized; as its optimizer leaves the QDQ form (`QLinearConv`, `QGemm`, ReLU inside of the clamp), because the
 * worker makes sessions without the optimizer. `scripts/bench/qdq.py` makes the same by onnxruntime's own tools.
 */
import type { BuiltGraph } from '../../../model-store/build/graph/build.ts';
import { decodeOnnxModel } from '../../../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../../../model-store/onnx/encode.ts';
import type { OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../../../model-store/onnx/onnx-model.ts';
import { OrtRuntime } from '../../../worker/inference/runtime.ts';
import type { PixelValues } from '../../../worker/preprocess/preprocess.ts';
import { compileWasm } from '../../cli/local-model.ts';

interface Range {
  readonly min: number;
  readonly max: number;
}

/** Names of scale and zero point. */
type Parameters = readonly [scale: string, zeroPoint: string];

/**
 * Quantizes every `Conv` without bias and every `Gemm` with `transB` of a float32 graph.
 * @param weightsPath the name of its external weights.
 * @param image what ranges are measured on.
 * @returns one file, its weights inside.
 */
export async function quantizeStatically(
  { model, weights }: BuiltGraph,
  weightsPath: string,
  image: PixelValues,
): Promise<Uint8Array> {
  const graph = decodeOnnxModel(model, new Map(weights === null ? [] : [[weightsPath, weights]]));
  const layers = graph.nodes.filter(({ opType }) => opType === 'Conv' || opType === 'Gemm');
  const ranges = await measureRanges(graph, layers, image);
  const quantizer = new StaticQuantizer(graph, ranges);
  const nodes = graph.nodes.flatMap((node) => quantizer.quantize(node));
  const float = new Set(layers.flatMap(({ inputs }) => inputs.slice(1)));
  const initializers = [...graph.initializers.filter(({ name }) => !float.has(name)), ...quantizer.initializers];
  const opsets = { ...graph.opsets, 'com.microsoft': 1 };
  return encodeOnnxModel({ ...graph, opsets, nodes, initializers }, null).model;
}

/** Least and largest value of every input and output of the layers, 0 included. */
async function measureRanges(
  graph: OnnxModel,
  layers: readonly OnnxNode[],
  { pixelValues, height, width }: PixelValues,
): Promise<ReadonlyMap<string, Range>> {
  const input = graph.inputs[0]!.name;
  const ranges = new Map([[input, rangeOf(pixelValues)]]);
  const ranks = new Map(
    layers.flatMap(({ opType, inputs, outputs }) => [inputs[0]!, outputs[0]!].map((name) => [name, opType] as const)),
  );
  ranks.delete(input);
  const outputs = [...ranks].map(([name, opType]): OnnxValue => {
    return {
      name,
      dtype: 'float32',
      shape: opType === 'Conv' ? ['n', 'c', 'h', 'w'].map((d) => `${name}_${d}`) : ['n', 'c'],
    };
  });
  const runtime = await OrtRuntime.start(await compileWasm());
  const session = runtime.createSession(encodeOnnxModel({ ...graph, outputs }, null).model);
  const feeds = new Map([[input, { type: 'float32', shape: [1, 3, height, width], data: pixelValues } as const]]);
  // One at a time: all of them together are larger than the heap should be.
  for (const name of ranks.keys()) {
    const { data } = session.run(feeds, [name]).get(name)!;
    ranges.set(name, rangeOf(data as Float32Array));
  }
  session.release();
  return ranges;
}

function rangeOf(values: Float32Array): Range {
  let [min, max] = [0, 0];
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

class StaticQuantizer {
  readonly initializers: OnnxTensor[] = [];
  readonly #constants: ReadonlyMap<string, OnnxTensor>;
  readonly #ranges: ReadonlyMap<string, Range>;
  readonly #consumers = new Map<string, OnnxNode[]>();
  readonly #producers: ReadonlyMap<string, OnnxNode>;
  readonly #quantized = new Set<string>();
  readonly #parameters = new Map<string, Parameters>();

  constructor(graph: OnnxModel, ranges: ReadonlyMap<string, Range>) {
    this.#constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
    this.#ranges = ranges;
    this.#producers = new Map(graph.nodes.map((node) => [node.outputs[0]!, node]));
    for (const node of graph.nodes) {
      for (const name of node.inputs) this.#consumers.set(name, [...(this.#consumers.get(name) ?? []), node]);
    }
  }

  /** What takes a node's place. */
  quantize(node: OnnxNode): OnnxNode[] {
    const [output] = node.outputs as [string];
    if (node.opType === 'Conv' || node.opType === 'Gemm') return this.#quantizeLayer(node);
    if (this.#isClamped(node)) return [];
    const pooled = this.#producers.get(node.inputs[0] ?? '');
    if (node.opType !== 'MaxPool' || pooled?.opType !== 'Conv') return [node];
    const pool = { ...node, inputs: [`${pooled.outputs[0]}_u8`], outputs: [`${output}_u8`], name: `${output}_u8` };
    return [pool, makeNode('DequantizeLinear', [`${output}_u8`, ...this.#activation(pooled.outputs[0]!)], output)];
  }

  #quantizeLayer(node: OnnxNode): OnnxNode[] {
    const [input, weight, bias] = node.inputs as [string, string, string?];
    const [output] = node.outputs as [string];
    const [inputScale] = this.#activation(input);
    const { data, scales } = this.#quantizeWeight(weight);
    const operands = [`${input}_u8`, ...this.#activation(input), data, ...this.#channelParameters(weight, scales)];
    const results = this.#activation(output);
    const nodes = this.#quantizeInput(input);
    if (node.opType === 'Conv') {
      if (bias !== undefined) throw new Error(`${output}: a convolution with a bias`);
      nodes.push({
        ...makeNode('QLinearConv', [...operands, ...results], `${output}_u8`),
        attributes: node.attributes,
      });
    } else {
      const biases = bias === undefined ? '' : this.#quantizeBias(bias, inputScale, scales);
      const gemm = makeNode('QGemm', [...operands, biases, ...results], `${output}_u8`);
      nodes.push({ ...gemm, domain: 'com.microsoft', attributes: node.attributes });
    }
    // A pool takes the 8 bits, which order as their values do.
    if (this.#consumers.get(output)?.every(({ opType }) => opType === 'MaxPool')) return nodes;
    return [...nodes, makeNode('DequantizeLinear', [`${output}_u8`, ...results], output)];
  }

  /** Quantizes an activation once, however many layers read it. */
  #quantizeInput(name: string): OnnxNode[] {
    if (this.#quantized.has(name)) return [];
    this.#quantized.add(name);
    const producer = this.#producers.get(name);
    const source = producer !== undefined && this.#isClamped(producer) ? producer.inputs[0]! : name;
    return [makeNode('QuantizeLinear', [source, ...this.#activation(name)], `${name}_u8`)];
  }

  /** Whether it is a ReLU that only layers read: from zero point 0 on, clamping to 8 bits is the same. */
  #isClamped({ opType, outputs }: OnnxNode): boolean {
    if (opType !== 'Relu') return false;
    const consumers = this.#consumers.get(outputs[0]!) ?? [];
    return consumers.length > 0 && consumers.every((consumer) => consumer.opType === 'Conv');
  }

  #activation(name: string): Parameters {
    const known = this.#parameters.get(name);
    if (known !== undefined) return known;
    const { min, max } = this.#ranges.get(name)!;
    const scale = Math.fround((max - min) / 255) || 1;
    const parameters = [`${name}_scale`, `${name}_zero_point`] as const;
    this.#add(parameters[0], 'float32', [], Float32Array.of(scale));
    this.#add(parameters[1], 'uint8', [], Uint8Array.of(Math.round(-min / scale)));
    this.#parameters.set(name, parameters);
    return parameters;
  }

  #quantizeWeight(name: string): { readonly data: string; readonly scales: Float32Array } {
    const { shape, data } = this.#constants.get(name)!;
    const values = new Float32Array(new Uint8Array(data).buffer);
    const channels = shape[0]!;
    const each = values.length / channels;
    const scales = new Float32Array(channels);
    const quantized = new Int8Array(values.length);
    for (let channel = 0; channel < channels; channel++) {
      const range = rangeOf(values.subarray(channel * each, (channel + 1) * each));
      const scale = Math.fround(Math.max(-range.min, range.max) / 127) || 1;
      scales[channel] = scale;
      for (let i = channel * each; i < (channel + 1) * each; i++) quantized[i] = Math.round(values[i]! / scale);
    }
    this.#add(`${name}_s8`, 'int8', shape, quantized);
    return { data: `${name}_s8`, scales };
  }

  #channelParameters(name: string, scales: Float32Array): Parameters {
    this.#add(`${name}_scale`, 'float32', [scales.length], scales);
    this.#add(`${name}_zero_point`, 'int8', [scales.length], new Int8Array(scales.length));
    return [`${name}_scale`, `${name}_zero_point`];
  }

  #quantizeBias(name: string, inputScale: string, scales: Float32Array): string {
    const bias = new Float32Array(new Uint8Array(this.#constants.get(name)!.data).buffer);
    const { data } = this.initializers.find((tensor) => tensor.name === inputScale)!;
    const [scale] = new Float32Array(new Uint8Array(data).buffer);
    this.#add(
      `${name}_s32`,
      'int32',
      [bias.length],
      Int32Array.from(bias, (value, i) => Math.round(value / (scale! * scales[i]!))),
    );
    return `${name}_s32`;
  }

  #add(name: string, dtype: OnnxTensor['dtype'], shape: readonly number[], values: ArrayBufferView): void {
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.initializers.push({ name, dtype, shape, data });
  }
}

function makeNode(opType: string, inputs: readonly string[], output: string): OnnxNode {
  return { name: output, opType, domain: '', inputs, outputs: [output], attributes: {} };
}
