/** Joins the inputs of several requests along the batch axis, and takes the outputs apart again. Pure. */
import { RuntimeError } from '../worker/errors.ts';
import { DATATYPE_BYTES, type Tensor, viewNumeric } from '../worker/oip/datatypes.ts';
import type { RawTensor } from './engine-protocol.ts';

/**
 * Joins one input of several requests.
 * @param tensors same name, data type and row shape; the first dimension is each one's batch.
 * @returns a tensor with a buffer of its own.
 */
export function concatenateRows(tensors: readonly Tensor[]): RawTensor {
  const { name, datatype, shape } = tensors[0]!;
  const parts = tensors.map((tensor) => {
    if (tensor.datatype === 'BYTES') throw new RuntimeError('inference_failed', `input "${name}" is BYTES`);
    return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  });
  const rows = tensors.reduce((sum, tensor) => sum + tensor.shape[0]!, 0);
  const buffer = new ArrayBuffer(parts.reduce((sum, part) => sum + part.byteLength, 0));
  const target = new Uint8Array(buffer);
  let offset = 0;
  for (const part of parts) {
    target.set(part, offset);
    offset += part.byteLength;
  }
  return { name, datatype, shape: [rows, ...shape.slice(1)], buffer };
}

/**
 * Takes one output apart. The parts are views of its buffer.
 * @param rowCounts rows of each request, in order.
 * @throws RuntimeError `inference_failed` where the output does not have as many rows as went in.
 */
export function splitRows(output: RawTensor, rowCounts: readonly number[]): Tensor[] {
  const total = rowCounts.reduce((sum, rows) => sum + rows, 0);
  const { name, datatype, shape, buffer } = output;
  if (datatype === 'BYTES' || shape[0] !== total) {
    throw new RuntimeError('inference_failed', `output "${name}" has shape [${shape}] for a batch of ${total}`);
  }
  const rowBytes = buffer.byteLength / total;
  let offset = 0;
  return rowCounts.map((rows) => {
    const data = viewNumeric(datatype, buffer, offset, (rows * rowBytes) / DATATYPE_BYTES[datatype]);
    offset += rows * rowBytes;
    return { name, datatype, shape: [rows, ...shape.slice(1)], data } as Tensor;
  });
}
