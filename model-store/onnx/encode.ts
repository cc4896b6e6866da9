/**
 * Writes a ModelProto, and its weights as external data. Equal models give equal bytes. Pure, no I/O.
 * Field numbers: https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto
 */
import { ModelError } from '../../worker/errors.ts';
import type { OnnxAttribute, OnnxFiles, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from './onnx-model.ts';
import { ONNX_DTYPE, ONNX_DTYPE_BYTES } from './onnx-model.ts';
import { ProtobufWriter } from './protobuf.ts';

/** IR version 10 is the newest that every onnxruntime since 1.18 reads. */
const IR_VERSION = 10;

/** Tensors from this size on go into the external file; shape inference wants the small ones at hand. */
const EXTERNAL_MIN_BYTES = 256;

/** Every external tensor begins at a multiple of this, so that a reader may view it as any element type. */
const EXTERNAL_ALIGNMENT_BYTES = 64;

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

/**
 * Encodes a model.
 * @param externalWeights the file name under which large weights become external data; null keeps them inside.
 * @throws ModelError `model_corrupt` where a tensor's data does not fit its shape.
 */
export function encodeOnnxModel(model: OnnxModel, externalWeights: string | null): OnnxFiles {
  const graph = new ProtobufWriter();
  for (const node of model.nodes) graph.message(1, encodeNode(node));
  graph.string(2, model.graphName);
  const external: { offset: number; data: Uint8Array }[] = [];
  let externalBytes = 0;
  for (const tensor of model.initializers) {
    const elements = tensor.shape.reduce((product, dimension) => product * dimension, 1);
    const expectedBytes = elements * ONNX_DTYPE_BYTES[tensor.dtype];
    if (tensor.data.byteLength !== expectedBytes) {
      throw new ModelError(
        'model_corrupt',
        `initializer ${tensor.name}: ${tensor.data.byteLength} bytes for [${tensor.shape}] ${tensor.dtype}`,
      );
    }
    if (externalWeights === null || expectedBytes < EXTERNAL_MIN_BYTES) {
      graph.message(5, encodeTensor(tensor).bytes(9, tensor.data));
      continue;
    }
    const offset = Math.ceil(externalBytes / EXTERNAL_ALIGNMENT_BYTES) * EXTERNAL_ALIGNMENT_BYTES;
    const message = encodeTensor(tensor);
    const entries = { location: externalWeights, offset: String(offset), length: String(expectedBytes) };
    for (const [key, value] of Object.entries(entries)) {
      message.message(13, new ProtobufWriter().string(1, key).string(2, value));
    }
    graph.message(5, message.integer(14, 1));
    external.push({ offset, data: tensor.data });
    externalBytes = offset + expectedBytes;
  }
  for (const value of model.inputs) graph.message(11, encodeValue(value));
  for (const value of model.outputs) graph.message(12, encodeValue(value));

  const message = new ProtobufWriter().integer(1, IR_VERSION).string(2, model.producer).message(7, graph);
  for (const [domain, version] of Object.entries(model.opsets)) {
    message.message(8, new ProtobufWriter().string(1, domain).integer(2, version));
  }
  return { model: message.finish(), weights: joinExternal(external, externalBytes) };
}

function joinExternal(parts: readonly { offset: number; data: Uint8Array }[], byteLength: number): Uint8Array | null {
  if (parts.length === 0) return null;
  const out = new Uint8Array(byteLength);
  for (const { offset, data } of parts) out.set(data, offset);
  return out;
}

function encodeNode(node: OnnxNode): ProtobufWriter {
  const message = new ProtobufWriter();
  for (const input of node.inputs) message.string(1, input);
  for (const output of node.outputs) message.string(2, output);
  // A node is named after its first output; the file need not say so twice.
  if (node.name !== node.outputs[0]) message.string(3, node.name);
  message.string(4, node.opType);
  for (const [name, attribute] of Object.entries(node.attributes)) message.message(5, encodeAttribute(name, attribute));
  if (node.domain !== '') message.string(7, node.domain);
  return message;
}

function encodeAttribute(name: string, attribute: OnnxAttribute): ProtobufWriter {
  const message = new ProtobufWriter().string(1, name);
  switch (attribute.kind) {
    case 'float':
      message.float(2, attribute.value);
      break;
    case 'int':
      message.integer(3, attribute.value);
      break;
    case 'string':
      message.string(4, attribute.value);
      break;
    case 'ints':
      for (const value of attribute.value) message.integer(8, value);
      break;
  }
  return message.integer(20, ATTRIBUTE_TYPE[attribute.kind]);
}

/** Everything but the data. */
function encodeTensor(tensor: OnnxTensor): ProtobufWriter {
  const message = new ProtobufWriter();
  for (const dimension of tensor.shape) message.integer(1, dimension);
  return message.integer(2, ONNX_DTYPE[tensor.dtype]).string(8, tensor.name);
}

function encodeValue(value: OnnxValue): ProtobufWriter {
  const shape = new ProtobufWriter();
  for (const dimension of value.shape) {
    const encoded = new ProtobufWriter();
    shape.message(1, typeof dimension === 'number' ? encoded.integer(1, dimension) : encoded.string(2, dimension));
  }
  const tensorType = new ProtobufWriter().integer(1, ONNX_DTYPE[value.dtype]).message(2, shape);
  return new ProtobufWriter().string(1, value.name).message(2, new ProtobufWriter().message(1, tensorType));
}
