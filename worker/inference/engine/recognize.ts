/**
 * Recognises BiT's int8 form in an ONNX graph, as model-store/build/quantize/ emits it. Strict: a graph is understood to the last node and
 * constant and becomes an `Int8Network`; or it is none of ours, for a reason that has a name, and onnxruntime runs it; or it
 * contradicts itself, and is an error. Pure, no I/O.
 */
import { decodeOnnxGraph } from '../../../model-store/onnx/decode.ts';
import type { OnnxGraph, OnnxNode } from '../../../model-store/onnx/onnx-model.ts';
import { AppError } from '../../errors.ts';
import type { Int8Network, Quantization } from './network.ts';
import { type AverageDraft, type MapDraft, type Meaning, positionsOf } from './recognize/drafts.ts';
import { finishNetwork } from './recognize/finish.ts';
import { GraphReader, unexpected, type WeightsFile } from './recognize/graph-reader.ts';
import { recognizeGroupNorm } from './recognize/group-norm.ts';
import { Meanings, quantizedOf, reshapedLayout, transposedLayout } from './recognize/meanings.ts';
import { contradiction, NotRecognized, type OtherReason } from './recognize/reasons.ts';
import { type ImageInput, recognizePool, recognizeStem } from './recognize/stem.ts';
import { Products } from './recognize/windows.ts';

export type { WeightsFile } from './recognize/graph-reader.ts';
export type { OtherReason } from './recognize/reasons.ts';

/** Operators that a 32-bit layer of an int8 graph has. */
const FLOAT_LAYERS = new Set(['Conv', 'Gemm']);
const ACTIVATIONS = new Set(['Gelu', 'Sigmoid']);
/** Operators that are always parts of a pattern which a later node completes. */
const PARTS = new Set(['ConvInteger', 'Gather', 'Min', 'Mul', 'Pow', 'Sub']);

/** Largest edge of an input, in px, and most values of it: addresses are 32 bits. */
const MAX_EDGE_PX = 8192;
const MAX_INPUT_VALUES = 2 ** 26;

/** Opsets whose operators mean what the patterns assume. */
const OPSETS: Readonly<Record<string, number>> = { '': 21, 'com.microsoft': 1 };

/** What a graph is. */
export type Recognition =
  | { readonly kind: 'int8'; readonly network: Int8Network }
  /** Not the engine's. */
  | { readonly kind: 'other'; readonly reason: OtherReason; readonly detail: string };

/**
 * Recognises a graph.
 * @param model the bytes of an ONNX file; what is small lies inside, what is large in the weights file.
 * @param weights the weights file of the version; null for none.
 * @throws ModelError `model_corrupt` where the graph contradicts itself or the file's size.
 */
export function recognize(model: Uint8Array, weights: WeightsFile | null): Recognition {
  try {
    return { kind: 'int8', network: recognizeGraph(decode(model), weights) };
  } catch (error) {
    if (!(error instanceof NotRecognized)) throw error;
    return { kind: 'other', reason: error.reason, detail: error.message };
  }
}

/** Formats that only onnxruntime reads are its business, and so is saying what is wrong with them. */
function decode(model: Uint8Array): OnnxGraph {
  try {
    return decodeOnnxGraph(model);
  } catch (error) {
    if (error instanceof AppError) throw new NotRecognized('unreadable', error.message);
    throw error;
  }
}

function recognizeGraph(graph: OnnxGraph, weights: WeightsFile | null): Int8Network {
  if (!graph.nodes.some(({ opType }) => opType === 'MatMulIntegerToFloat')) {
    throw new NotRecognized('not_int8', 'the graph has no 8-bit product');
  }
  for (const [domain, version] of Object.entries(graph.opsets)) {
    if (OPSETS[domain] !== version) throw new NotRecognized('opset', `version ${version} of "${domain}"`);
  }
  const image = readInput(graph);
  const recognizer = new Recognizer(graph, image, weights);
  for (const node of graph.nodes) recognizer.read(node);
  return recognizer.finish(weights?.path ?? null);
}

function readInput({ inputs }: OnnxGraph): ImageInput {
  const [input] = inputs;
  const [batch, channels, height, width] = input?.shape ?? [];
  if (inputs.length !== 1 || input?.dtype !== 'float32' || input.shape.length !== 4 || typeof batch !== 'string') {
    throw new NotRecognized('input', `${inputs.length} inputs; of the first: ${input?.dtype} [${input?.shape}]`);
  }
  if (typeof channels !== 'number' || typeof height !== 'number' || typeof width !== 'number') {
    throw new NotRecognized('free_size', `input "${input.name}" is [${input.shape}]`);
  }
  const isSize = Math.min(channels, height, width) >= 1 && Math.max(height, width) <= MAX_EDGE_PX;
  if (!isSize || channels * height * width > MAX_INPUT_VALUES) {
    throw new NotRecognized('size', `input "${input.name}" is [${input.shape}]`);
  }
  return { name: input.name, channels, height, width };
}

/** Reads nodes in their order. */
class Recognizer {
  readonly #reader: GraphReader;
  readonly #meanings = new Meanings();
  readonly #products: Products;
  readonly #image: ImageInput;
  readonly #parts: OnnxNode[] = [];

  constructor(graph: OnnxGraph, image: ImageInput, weights: WeightsFile | null) {
    this.#reader = new GraphReader(graph, weights);
    this.#products = new Products(this.#reader, this.#meanings);
    this.#image = image;
    this.#meanings.set(image.name, { kind: 'image', shift: 0 });
  }

  /** @throws NotRecognized; ModelError `model_corrupt`. */
  read(node: OnnxNode): void {
    const isOurs = node.domain === (node.opType === 'MatMulIntegerToFloat' ? 'com.microsoft' : '');
    if (!isOurs || node.outputs.length !== 1)
      throw new NotRecognized('operator', `${node.domain} ${node.opType} "${node.name}"`);
    const inputsExist = node.inputs.every(
      (name) => this.#meanings.get(name) !== undefined || this.#reader.isConstant(name),
    );
    if (!inputsExist) throw contradiction(`"${node.name}" reads what no node before it gives`);
    const meaning = this.#meaningOf(node);
    if (meaning.kind === 'part') this.#parts.push(node);
    this.#meanings.set(node.outputs[0]!, meaning);
  }

  finish(weightsFile: string | null): Int8Network {
    const stray = this.#parts.find((node) => !this.#reader.used.has(node));
    if (stray !== undefined) throw unexpected(stray);
    return finishNetwork(this.#reader, this.#meanings, this.#image, weightsFile);
  }

  #meaningOf(node: OnnxNode): Meaning {
    const { opType, inputs } = node;
    const reader = this.#reader;
    const first = this.#meanings.get(inputs[0] ?? '');
    if (PARTS.has(opType)) return { kind: 'part' };
    if (ACTIVATIONS.has(opType)) throw new NotRecognized('activation', `${opType} "${node.name}"`);
    if (FLOAT_LAYERS.has(opType)) throw new NotRecognized('float_layer', `"${node.name}" is in float32`);
    switch (opType) {
      case 'Identity':
        reader.expect(node, 1);
        return first ?? { kind: 'part' };
      case 'Add':
        return this.#add(node);
      case 'Relu':
        reader.expect(node, 1);
        if (first?.kind !== 'norm' || first.rectified) throw unexpected(node);
        return { ...first, rectified: true };
      case 'QuantizeLinear':
        return this.#quantize(node, first);
      case 'DequantizeLinear':
        return recognizeStem(reader, this.#meanings, this.#image, node);
      case 'MaxPool':
        // With padding a `Max` follows, which puts zeros where the padding is.
        if (this.#isMasked(node)) return { kind: 'part' };
        return recognizePool(reader, this.#meanings, node);
      case 'Max':
        if (reader.nodeOf(inputs[0]!).opType !== 'MaxPool') return { kind: 'part' };
        return recognizePool(reader, this.#meanings, node);
      case 'Pad':
        if (first?.kind === 'stem')
          throw new NotRecognized('layer_type', `"${node.name}" pads the stem before its norm`);
        return { kind: 'part' };
      case 'Expand':
        return this.#average(node);
      case 'MatMul':
        return this.#matMul(node, first);
      case 'Flatten':
        if (first?.kind === 'map') throw new NotRecognized('float_layer', `"${node.name}": a head in float32`);
        reader.expect(node, 1);
        if (first?.kind !== 'quantized_vector' || first.isFlat) throw unexpected(node);
        return { ...first, isFlat: true };
      case 'Reshape':
        return this.#reshape(node, first);
      case 'Transpose': {
        if (first?.kind === 'stem') throw new NotRecognized('layer_type', `"${node.name}": no pool behind the stem`);
        const { map, layout } = this.#meanings.viewOf(inputs[0]!);
        reader.expect(node, 1, { perm: reader.integers(node, 'perm', layout === 'places' ? 4 : 3) });
        const permutation = reader.integers(node, 'perm', layout === 'places' ? 4 : 3);
        return { kind: 'map', map, layout: transposedLayout(layout, permutation, node.name) };
      }
      case 'MatMulIntegerToFloat':
        return this.#products.recognize(node);
      default:
        throw new NotRecognized('operator', `${opType} "${node.name}"`);
    }
  }

  #isMasked(node: OnnxNode): boolean {
    const pads = this.#reader.integers(node, 'pads', 4);
    return pads.some((pad) => pad !== 0) && this.#reader.consumersAre(node.outputs[0]!, 'Max');
  }

  #add(node: OnnxNode): Meaning {
    const reader = this.#reader;
    reader.expect(node, 2);
    const [left, right] = node.inputs as [string, string];
    const meaning = this.#meanings.get(left);
    if (meaning?.kind === 'image' && reader.isConstant(right)) {
      const shift = reader.scalar(right, 'float32');
      if (meaning.shift !== 0 || !Number.isFinite(shift)) throw unexpected(node);
      return { kind: 'image', shift };
    }
    const isMap = (name: string): boolean => ['map', 'norm'].includes(this.#meanings.get(name)?.kind ?? '');
    return isMap(left) && isMap(right) ? this.#sum(node, left, right) : { kind: 'part' };
  }

  /** A residual sum: a convolution or a group norm that nothing else reads adds the other operand to what it writes. */
  #sum(node: OnnxNode, left: string, right: string): Meaning {
    for (const [name, other] of [
      [right, left],
      [left, right],
    ] as const) {
      if (this.#reader.usesOf(name) !== 1) continue;
      const meaning = this.#meanings.get(name)!;
      if (meaning.kind === 'norm' && !meaning.rectified && meaning.norm.residual === null) {
        meaning.norm.residual = this.#operand(node, other, meaning.norm.input);
        return meaning;
      }
      if (meaning.kind !== 'map' || meaning.layout !== 'rows' || meaning.map.producer.kind !== 'convolution') continue;
      const step = meaning.map.producer;
      if (step.residual !== null) continue;
      step.residual = this.#operand(node, other, meaning.map);
      const map: MapDraft = { ...meaning.map, name: node.outputs[0]! };
      step.output = map;
      return { kind: 'map', map, layout: 'rows' };
    }
    throw unexpected(node);
  }

  #operand(node: OnnxNode, name: string, like: MapDraft): MapDraft {
    const map = this.#meanings.rowsOf(name);
    if (map.channels !== like.channels || map.height !== like.height || map.width !== like.width)
      throw unexpected(node);
    return map;
  }

  #quantize(node: OnnxNode, first: Meaning | undefined): Meaning {
    const reader = this.#reader;
    reader.expect(node, 3);
    const [source, scale, zeroPoint] = node.inputs as [string, string, string];
    const quantization: Quantization = { scale: reader.scale(scale), zeroPoint: reader.scalar(zeroPoint, 'uint8') };
    if (first?.kind === 'image') return { kind: 'quantized_image', shift: first.shift, quantization };
    if (first?.kind === 'norm') {
      return { kind: 'quantized', map: quantizedOf(first.norm, first.rectified, node.outputs[0]!, quantization) };
    }
    const map = this.#meanings.rowsOf(source);
    if (positionsOf(map) !== 1) throw unexpected(node);
    return { kind: 'quantized_vector', map, quantization, isFlat: false };
  }

  #average(node: OnnxNode): Meaning {
    const reader = this.#reader;
    reader.expect(node, 2);
    const [one, count] = reader.int64s(node.inputs[1]!);
    if (one !== 1 || count === undefined) throw unexpected(node);
    if (reader.scalar(node.inputs[0]!, 'float32') !== Math.fround(1 / count)) {
      throw contradiction(`"${node.name}" does not average ${count} values`);
    }
    return { kind: 'average', count };
  }

  /** A mean over all positions, or a part of a group norm. */
  #matMul(node: OnnxNode, first: Meaning | undefined): Meaning {
    this.#reader.expect(node, 2);
    if (first?.kind !== 'average') throw unexpected(node);
    if (this.#meanings.get(node.inputs[1]!)?.kind === 'part') return { kind: 'part' };
    const input = this.#meanings.rowsOf(node.inputs[1]!);
    if (first.count !== positionsOf(input)) throw contradiction(`"${node.name}" averages ${first.count} values`);
    const step: AverageDraft = { kind: 'average', name: node.name, input, output: null };
    const { channels } = input;
    step.output = { name: node.outputs[0]!, height: 1, width: 1, channels, quantization: null, producer: step };
    return { kind: 'map', map: step.output, layout: 'rows' };
  }

  #reshape(node: OnnxNode, first: Meaning | undefined): Meaning {
    const reader = this.#reader;
    reader.expect(node, 2);
    const source = node.inputs[0]!;
    if (first?.kind === 'stem') throw new NotRecognized('layer_type', `"${node.name}": no pool behind the stem`);
    if (first?.kind === 'part') {
      return reader.nodeOf(source).opType === 'Gather'
        ? { kind: 'part' }
        : recognizeGroupNorm(reader, this.#meanings, node);
    }
    const view = this.#meanings.viewOf(source);
    const shape = reader.int64s(node.inputs[1]!);
    // Rows are reshaped to four dimensions by group norms alone.
    if (view.layout === 'rows' && shape.length === 4) return { kind: 'part' };
    return { kind: 'map', map: view.map, layout: reshapedLayout(view, shape, this.#meanings.groups) };
  }
}
