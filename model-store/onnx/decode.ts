/**
 * Reads a ModelProto back, external data included, as far as our encoder writes it. Pure, no I/O.
 * Field numbers: https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto
 */
import { ModelError } from '../../worker/errors.ts';
import type {
  ExternalLocation,
  OnnxAttribute,
  OnnxDtype,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxTensorReference,
  OnnxValue,
} from './onnx-model.ts';
import { ONNX_DTYPE } from './onnx-model.ts';
import { floatValue, readProtobuf, repeatedIntegers, signedInteger, stringValue } from './protobuf.ts';

/**
 * Decodes a model; tensors are views of `model` or of the external file.
 * @param external the external data files, by the name the model gives them.
 * @throws ModelError `model_corrupt` where the bytes are no ONNX model, or an external file is missing or too short.
 */
export function decodeOnnxModel(model: Uint8Array, external: ReadonlyMap<string, Uint8Array> = new Map()): OnnxModel {
  const graph = decodeOnnxGraph(model);
  return { ...graph, initializers: graph.initializers.map((tensor) => withData(tensor, external)) };
}

/**
 * The same without the external data: only where it is.
 * @throws ModelError `model_corrupt` where the bytes are no ONNX model.
 */
export function decodeOnnxGraph(model: Uint8Array): OnnxGraph {
  let producer = '';
  let graph: Uint8Array | null = null;
  const opsets: Record<string, number> = {};
  for (const field of readProtobuf(model)) {
    if (field.field === 2) producer = stringValue(field);
    else if (field.field === 7) graph = field.bytes;
    else if (field.field === 8) {
      let domain = '';
      let version = 0;
      for (const entry of readProtobuf(field.bytes)) {
        if (entry.field === 1) domain = stringValue(entry);
        else if (entry.field === 2) version = signedInteger(entry);
      }
      opsets[domain] = version;
    }
  }
  if (graph === null) throw new ModelError('model_corrupt', `no graph in ${model.byteLength} bytes of ONNX model`);
  let graphName = '';
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensorReference[] = [];
  for (const field of readProtobuf(graph)) {
    if (field.field === 1) nodes.push(decodeNode(field.bytes));
    else if (field.field === 2) graphName = stringValue(field);
    else if (field.field === 5) initializers.push(decodeTensor(field.bytes));
    else if (field.field === 11) inputs.push(decodeValue(field.bytes));
    else if (field.field === 12) outputs.push(decodeValue(field.bytes));
  }
  return { producer, opsets, graphName, inputs, outputs, nodes, initializers };
}

function decodeNode(message: Uint8Array): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Record<string, OnnxAttribute> = {};
  let name = '';
  let opType = '';
  let domain = '';
  for (const field of readProtobuf(message)) {
    if (field.field === 1) inputs.push(stringValue(field));
    else if (field.field === 2) outputs.push(stringValue(field));
    else if (field.field === 3) name = stringValue(field);
    else if (field.field === 4) opType = stringValue(field);
    else if (field.field === 5) Object.assign(attributes, decodeAttribute(field.bytes));
    else if (field.field === 7) domain = stringValue(field);
  }
  return { name: name || (outputs[0] ?? ''), opType, domain, inputs, outputs, attributes };
}

function decodeAttribute(message: Uint8Array): Record<string, OnnxAttribute> {
  let name = '';
  let type = 0;
  let float = 0;
  let int = 0;
  let string = '';
  const ints: number[] = [];
  for (const field of readProtobuf(message)) {
    if (field.field === 1) name = stringValue(field);
    else if (field.field === 2) float = floatValue(field);
    else if (field.field === 3) int = signedInteger(field);
    else if (field.field === 4) string = stringValue(field);
    else if (field.field === 8) ints.push(...repeatedIntegers(field));
    else if (field.field === 20) type = signedInteger(field);
  }
  switch (type) {
    case 1:
      return { [name]: { kind: 'float', value: float } };
    case 2:
      return { [name]: { kind: 'int', value: int } };
    case 3:
      return { [name]: { kind: 'string', value: string } };
    case 7:
      return { [name]: { kind: 'ints', value: ints } };
    default:
      throw new ModelError('model_corrupt', `attribute ${name} has type ${type}; only 1, 2, 3 and 7 are known`);
  }
}

function decodeTensor(message: Uint8Array): OnnxTensorReference {
  const shape: number[] = [];
  let name = '';
  let dtype: OnnxDtype = 'float32';
  let data: Uint8Array = new Uint8Array(0);
  const location = new Map<string, string>();
  for (const field of readProtobuf(message)) {
    if (field.field === 1) shape.push(...repeatedIntegers(field));
    else if (field.field === 2) dtype = dtypeOf(signedInteger(field));
    else if (field.field === 8) name = stringValue(field);
    else if (field.field === 9) data = field.bytes;
    else if (field.field === 13) {
      let key = '';
      for (const entry of readProtobuf(field.bytes)) {
        if (entry.field === 1) key = stringValue(entry);
        else if (entry.field === 2) location.set(key, stringValue(entry));
      }
    }
  }
  return { name, dtype, shape, data, external: decodeLocation(name, location) };
}

function decodeLocation(tensor: string, location: ReadonlyMap<string, string>): ExternalLocation | null {
  const path = location.get('location');
  if (path === undefined) return null;
  const integer = (key: string): number => {
    const text = location.get(key) ?? '0';
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isNaN(value))
      throw new ModelError('model_corrupt', `tensor ${tensor}: ${key} "${text}" is not a number`);
    return value;
  };
  return { path, offset: integer('offset'), bytes: integer('length') };
}

function withData(tensor: OnnxTensorReference, files: ReadonlyMap<string, Uint8Array>): OnnxTensor {
  const { name, dtype, shape, external } = tensor;
  if (external === null) return { name, dtype, shape, data: tensor.data };
  const { path, offset, bytes } = external;
  const file = files.get(path);
  if (file === undefined) throw new ModelError('model_corrupt', `tensor ${name}: external file ${path} is missing`);
  if (offset + bytes > file.byteLength) {
    throw new ModelError(
      'model_corrupt',
      `tensor ${name} ends at byte ${offset + bytes}; ${path} has ${file.byteLength}`,
    );
  }
  return { name, dtype, shape, data: new Uint8Array(file.buffer, file.byteOffset + offset, bytes) };
}

function decodeValue(message: Uint8Array): OnnxValue {
  let name = '';
  let dtype: OnnxDtype = 'float32';
  const shape: (number | string)[] = [];
  for (const field of readProtobuf(message)) {
    if (field.field === 1) name = stringValue(field);
    if (field.field !== 2) continue;
    for (const type of readProtobuf(field.bytes)) {
      for (const tensor of readProtobuf(type.bytes)) {
        if (tensor.field === 1) dtype = dtypeOf(signedInteger(tensor));
        if (tensor.field !== 2) continue;
        for (const dimension of readProtobuf(tensor.bytes)) {
          for (const value of readProtobuf(dimension.bytes)) {
            shape.push(value.field === 1 ? signedInteger(value) : stringValue(value));
          }
        }
      }
    }
  }
  return { name, dtype, shape };
}

function dtypeOf(code: number): OnnxDtype {
  for (const [name, value] of Object.entries(ONNX_DTYPE)) {
    if (value === code) return name as OnnxDtype;
  }
  throw new ModelError('model_corrupt', `element type ${code} is not one of ${Object.values(ONNX_DTYPE)}`);
}
