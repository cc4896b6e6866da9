/**
 * Collects the nodes and constants of one ONNX graph. Pure, no I/O.
 */
import type { OnnxAttribute, OnnxDtype, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../../onnx/onnx-model.ts';

/** The standard operator set that every graph uses: QuantizeLinear and GroupNormalization as onnxruntime runs them best. */
export const ONNX_OPSET = 21;

/** An attribute as the builder takes it: an integer, a list of integers, a string, or a float marked as one. */
export type AttributeValue = number | readonly number[] | string | { readonly float: number };

/** Options of one node. */
export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly domain?: string;
}

/** Builds a graph node by node. Values are named after the node that makes them; every name is used once. */
export class GraphBuilder {
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, OnnxTensor>();
  readonly #names = new Map<string, number>();
  readonly #outputNames = new Map<string, string>();
  readonly #shared = new Map<string, string>();

  /** `hint` itself the first time, then `hint_1`, `hint_2` ... */
  uniqueName(hint: string): string {
    const uses = this.#names.get(hint) ?? 0;
    this.#names.set(hint, uses + 1);
    return uses === 0 ? hint : this.uniqueName(`${hint}_${uses}`);
  }

  /** Adds a node with one output; returns the output's name. */
  node(opType: string, hint: string, inputs: readonly string[], options: NodeOptions = {}): string {
    return this.nodeWithOutputs(opType, hint, inputs, 1, options)[0]!;
  }

  /** Adds a node with several outputs; returns their names. */
  nodeWithOutputs(
    opType: string,
    hint: string,
    inputs: readonly string[],
    outputCount: number,
    options: NodeOptions = {},
  ): string[] {
    const name = this.uniqueName(hint);
    const outputs = [name];
    while (outputs.length < outputCount) outputs.push(this.uniqueName(`${name}.${outputs.length}`));
    const attributes: Record<string, OnnxAttribute> = {};
    for (const [key, value] of Object.entries(options.attributes ?? {})) attributes[key] = toAttribute(value);
    this.#nodes.push({ name, opType, domain: options.domain ?? '', inputs, outputs, attributes });
    return outputs;
  }

  /** What `make` emits, once for all who ask under this name: what is made of constants alone takes little to compute and much to store. */
  shared(name: string, make: (hint: string) => string): string {
    let value = this.#shared.get(name);
    if (value === undefined) {
      value = make(name);
      this.#shared.set(name, value);
    }
    return value;
  }

  /** Adds a constant; a name that is there already is returned as it is, so that equal names must mean equal data. */
  constant(name: string, dtype: OnnxDtype, shape: readonly number[], data: Uint8Array): string {
    if (!this.#initializers.has(name)) this.#initializers.set(name, { name, dtype, shape, data });
    return name;
  }

  /** Adds a float32 constant. */
  float32(name: string, shape: readonly number[], values: Float32Array | readonly number[]): string {
    return this.constant(name, 'float32', shape, bytesOf(Float32Array.from(values)));
  }

  /** Adds an int32 constant. */
  int32(name: string, shape: readonly number[], values: readonly number[]): string {
    return this.constant(name, 'int32', shape, bytesOf(Int32Array.from(values)));
  }

  /** Adds an int64 constant of one dimension. */
  int64(name: string, values: readonly number[]): string {
    return this.constant(name, 'int64', [values.length], bytesOf(BigInt64Array.from(values, BigInt)));
  }

  /** Adds an int64 constant without dimensions. */
  int64Scalar(name: string, value: number): string {
    return this.constant(name, 'int64', [], bytesOf(BigInt64Array.of(BigInt(value))));
  }

  /** Adds a uint8 constant. */
  uint8(name: string, shape: readonly number[], values: Uint8Array | readonly number[]): string {
    return this.constant(name, 'uint8', shape, Uint8Array.from(values));
  }

  /** Gives a value the name it has as a graph output; a second name for the same value becomes an `Identity`. */
  nameOutput(value: string, name: string): void {
    if (!this.#outputNames.has(value)) this.#outputNames.set(value, name);
    else this.#outputNames.set(this.node('Identity', `${name}.copy`, [value]), name);
  }

  /** The finished model. */
  finish(graphName: string, inputs: readonly OnnxValue[], outputs: readonly OnnxValue[]): OnnxModel {
    const domains = new Set(this.#nodes.map(({ domain }) => domain).filter((domain) => domain !== ''));
    const rename = (value: string): string => this.#outputNames.get(value) ?? value;
    const nodes = this.#nodes.map((node) => {
      return { ...node, name: rename(node.name), inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
    });
    return {
      producer: 'bit-edge',
      opsets: { '': ONNX_OPSET, ...Object.fromEntries([...domains].sort().map((domain) => [domain, 1])) },
      graphName,
      inputs,
      outputs,
      nodes,
      initializers: [...this.#initializers.values()],
    };
  }
}

/** The bytes of a typed array, in the machine's order: every platform this runs on is little-endian, as ONNX is. */
export function bytesOf(array: Float32Array | BigInt64Array | Int32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function toAttribute(value: AttributeValue): OnnxAttribute {
  if (typeof value === 'number') return { kind: 'int', value };
  if (typeof value === 'string') return { kind: 'string', value };
  if ('float' in value) return { kind: 'float', value: value.float };
  return { kind: 'ints', value };
}
