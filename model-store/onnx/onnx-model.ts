/**
 * An ONNX model as data: what the graph builder makes, the encoder writes and the decoder reads. Pure, no I/O.
 * Reference: https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto, IR version 10.
 */

/** Element types, by ONNX's `TensorProto.DataType` number. */
export const ONNX_DTYPE = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10 } as const;
export type OnnxDtype = keyof typeof ONNX_DTYPE;

/** Bytes of one element. */
export const ONNX_DTYPE_BYTES: Readonly<Record<OnnxDtype, number>> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  int32: 4,
  int64: 8,
  float16: 2,
};

/** An attribute of a node. Integers and floats are told apart by the operator's schema, so they are marked here. */
export type OnnxAttribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string };

/** A constant: row-major little-endian elements. */
export interface OnnxTensor {
  readonly name: string;
  readonly dtype: OnnxDtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** One operator. An input that is left out is the empty string. */
export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  /** Empty for the standard operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A graph input or output; a dimension is a number, or a name where it is free. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: OnnxDtype;
  readonly shape: readonly (number | string)[];
}

/** A model: one graph, nodes in the order of their execution. */
export interface OnnxModel {
  readonly producer: string;
  /** Version of each operator set, by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly graphName: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
}

/** A part of an external data file, as a tensor names it. */
export interface ExternalLocation {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

/** A constant whose data may be elsewhere: `external` then says where, and `data` is empty. */
export interface OnnxTensorReference extends OnnxTensor {
  readonly external: ExternalLocation | null;
}

/** A model whose external data need not be at hand. */
export interface OnnxGraph extends OnnxModel {
  readonly initializers: readonly OnnxTensorReference[];
}

/** A file of an ONNX model, with the external data file that it names, if any. */
export interface OnnxFiles {
  readonly model: Uint8Array;
  readonly weights: Uint8Array | null;
}
