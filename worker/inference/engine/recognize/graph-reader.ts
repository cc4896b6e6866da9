/** Look-ups in an ONNX graph, strict: what is asked for is there with exactly that type, shape and attributes, or it is another graph. */
import type {
  ExternalLocation,
  OnnxAttribute,
  OnnxGraph,
  OnnxNode,
  OnnxTensorReference,
} from '../../../../model-store/onnx/onnx-model.ts';
import { ONNX_DTYPE_BYTES } from '../../../../model-store/onnx/onnx-model.ts';
import type { NetworkTensor, TensorContents, TensorId, TensorSource } from '../network.ts';
import { checkContents } from '../tensor-contents.ts';
import { contradiction, NotRecognized } from './reasons.ts';

/** The external file that a graph's tensors may be parts of. */
export interface WeightsFile {
  readonly path: string;
  readonly bytes: number;
}

/** Attributes as a pattern expects them: all of them, and no others. */
export type ExpectedAttributes = Readonly<Record<string, number | readonly number[]>>;

/** One graph being read. */
export class GraphReader {
  readonly graph: OnnxGraph;
  /** Constants that the network needs, in the order in which they were asked for. */
  readonly tensors: NetworkTensor[] = [];
  /** Nodes that became part of the network. */
  readonly used = new Set<OnnxNode>();
  readonly #producers = new Map<string, OnnxNode>();
  readonly #uses = new Map<string, number>();
  readonly #constants = new Map<string, OnnxTensorReference>();
  readonly #taken = new Set<string>();

  /** @throws ModelError `model_corrupt` where a name is given twice, or data does not fit its shape or its file. */
  constructor(graph: OnnxGraph, file: WeightsFile | null) {
    this.graph = graph;
    for (const tensor of graph.initializers) {
      if (this.#constants.has(tensor.name)) throw contradiction(`"${tensor.name}" is there twice`);
      checkSize(tensor, file);
      this.#constants.set(tensor.name, tensor);
    }
    for (const node of graph.nodes) {
      for (const output of node.outputs) {
        if (this.#producers.has(output) || this.#constants.has(output))
          throw contradiction(`"${output}" is there twice`);
        this.#producers.set(output, node);
      }
      for (const input of node.inputs) this.#uses.set(input, (this.#uses.get(input) ?? 0) + 1);
    }
    for (const { name } of graph.outputs) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
  }

  /** How many nodes and graph outputs read a value. */
  usesOf(name: string): number {
    return this.#uses.get(name) ?? 0;
  }

  /** True where every node that reads a value is of that type, and no output of the graph is it. */
  consumersAre(name: string, opType: string): boolean {
    const readers = this.graph.nodes.filter(({ inputs }) => inputs.includes(name));
    return (
      readers.length === this.usesOf(name) && readers.length > 0 && readers.every((node) => node.opType === opType)
    );
  }

  /** True for a constant of the file. */
  isConstant(name: string): boolean {
    return this.#constants.has(name);
  }

  /**
   * The node that makes a value, as part of a pattern.
   * @throws NotRecognized where it is another operator, or has other attributes or numbers of inputs.
   */
  producer(name: string, opType: string, inputs: number, attributes: ExpectedAttributes = {}): OnnxNode {
    const node = this.#producers.get(name);
    if (node?.opType !== opType) throw new NotRecognized('pattern', `"${name}" is no ${opType}`);
    this.expect(node, inputs, attributes);
    this.used.add(node);
    return node;
  }

  /** The node that makes a value, whatever it is. @throws NotRecognized where none does. */
  nodeOf(name: string): OnnxNode {
    const node = this.#producers.get(name);
    if (node === undefined) throw new NotRecognized('pattern', `no node makes "${name}"`);
    return node;
  }

  /** Checks a node's number of inputs, its one output, and its attributes. @throws NotRecognized. */
  expect(node: OnnxNode, inputs: number, attributes: ExpectedAttributes = {}): void {
    const names = Object.keys(node.attributes);
    const matches =
      node.inputs.length === inputs &&
      node.outputs.length === 1 &&
      names.length === Object.keys(attributes).length &&
      names.every((name) => Object.hasOwn(attributes, name) && isEqual(node.attributes[name]!, attributes[name]!));
    if (!matches) throw unexpected(node);
  }

  /** An attribute of `length` integers. @throws NotRecognized. */
  integers(node: OnnxNode, name: string, length: number): readonly number[] {
    const attribute = Object.hasOwn(node.attributes, name) ? node.attributes[name] : undefined;
    if (attribute?.kind !== 'ints' || attribute.value.length !== length) throw unexpected(node);
    return attribute.value;
  }

  /** The number that a float32 or uint8 constant without dimensions holds. @throws NotRecognized. */
  scalar(name: string, dtype: 'float32' | 'uint8' | 'int32'): number {
    const { data } = this.#inline(name, dtype, 0);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (dtype === 'uint8') return view.getUint8(0);
    return dtype === 'int32' ? view.getInt32(0, true) : view.getFloat32(0, true);
  }

  /** A scale: a float32 constant above zero. @throws NotRecognized; ModelError `model_corrupt`. */
  scale(name: string): number {
    const value = this.scalar(name, 'float32');
    if (!(value > 0) || !Number.isFinite(value)) throw contradiction(`scale "${name}" is ${value}`);
    return value;
  }

  /** The numbers of an int64 constant with one dimension. @throws NotRecognized. */
  int64s(name: string): number[] {
    const { data } = this.#inline(name, 'int64', 1);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return Array.from({ length: data.byteLength / 8 }, (_, index) => Number(view.getBigInt64(8 * index, true)));
  }

  /** The dimensions of a constant. @throws NotRecognized where it is none of that type and rank. */
  shapeOf(name: string, dtype: OnnxTensorReference['dtype'], rank: number): readonly number[] {
    return this.#constant(name, dtype, rank).shape;
  }

  /**
   * Takes a constant into the network, once: two uses could want it in two forms.
   * @throws NotRecognized where it is none of that type or was taken; ModelError `model_corrupt` where its shape or its contents are
   * others than the network's.
   */
  tensor(
    name: string,
    dtype: NetworkTensor['dtype'],
    shape: readonly number[],
    contents: TensorContents | null,
  ): TensorId {
    const constant = this.#constant(name, dtype, shape.length);
    if (constant.shape.some((size, axis) => size !== shape[axis])) {
      throw contradiction(`"${name}" is [${constant.shape}] where [${shape}] follows from the rest`);
    }
    if (this.#taken.has(name)) throw new NotRecognized('pattern', `"${name}" is used twice`);
    this.#taken.add(name);
    const source = sourceOf(constant);
    const tensor: NetworkTensor = { name, dtype, shape, source, contents };
    if (source.kind === 'graph') checkContents(tensor, source.data);
    this.tensors.push(tensor);
    return this.tensors.length - 1;
  }

  #inline(name: string, dtype: OnnxTensorReference['dtype'], rank: number): OnnxTensorReference {
    const constant = this.#constant(name, dtype, rank);
    if (constant.external !== null) throw new NotRecognized('pattern', `"${name}" is not in the graph itself`);
    return constant;
  }

  #constant(name: string, dtype: OnnxTensorReference['dtype'], rank: number): OnnxTensorReference {
    const constant = this.#constants.get(name);
    if (constant?.dtype !== dtype || constant.shape.length !== rank) {
      throw new NotRecognized('pattern', `"${name}" is not a constant ${dtype} of ${rank} dimensions`);
    }
    return constant;
  }
}

/** The reason of a node that is not as a pattern wants it. */
export function unexpected({ opType, name }: OnnxNode): NotRecognized {
  return new NotRecognized('pattern', `${opType} "${name}"`);
}

function isEqual(attribute: OnnxAttribute, expected: number | readonly number[]): boolean {
  if (typeof expected === 'number') return attribute.kind === 'int' && attribute.value === expected;
  return (
    attribute.kind === 'ints' &&
    attribute.value.length === expected.length &&
    attribute.value.every((value, index) => value === expected[index])
  );
}

function checkSize({ name, dtype, shape, data, external }: OnnxTensorReference, file: WeightsFile | null): void {
  if (shape.some((size) => !(size >= 0))) throw contradiction(`"${name}" is [${shape}]`);
  const expected = shape.reduce((product, size) => product * size, 1) * ONNX_DTYPE_BYTES[dtype];
  const bytes = external === null ? data.byteLength : external.bytes;
  if (bytes !== expected) throw contradiction(`"${name}" has ${bytes} bytes for [${shape}] ${dtype}`);
  if (external !== null) checkLocation(name, external, file);
}

function checkLocation(name: string, { path, offset, bytes }: ExternalLocation, file: WeightsFile | null): void {
  if (path !== file?.path)
    throw contradiction(`"${name}" is in "${path}", the version's file is "${file?.path ?? ''}"`);
  if (offset + bytes > file.bytes) {
    throw contradiction(`"${name}" ends at byte ${offset + bytes} of ${path}, which has ${file.bytes}`);
  }
}

function sourceOf({ data, external }: OnnxTensorReference): TensorSource {
  if (external === null) return { kind: 'graph', data, bytes: data.byteLength };
  return { kind: 'file', offset: external.offset, bytes: external.bytes };
}
