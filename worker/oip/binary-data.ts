/**
 * Tensor data as bytes: little-endian, row-major, no padding; BYTES elements behind a 4-byte length. Pure.
 * Source: Triton, "Binary Tensor Data Extension". Typed arrays are little-endian on every platform we run on.
 */
import { RequestError } from '../errors.ts';
import { DATATYPE_BYTES, type Datatype, elementCount, makeTensor, type Tensor, viewNumeric } from './datatypes.ts';

const LENGTH_PREFIX_BYTES = 4;

/** Bytes that a tensor's data takes on the wire. */
export function binarySize(tensor: Tensor): number {
  if (tensor.datatype !== 'BYTES') return tensor.data.byteLength;
  return tensor.data.reduce((sum, element) => sum + LENGTH_PREFIX_BYTES + element.byteLength, 0);
}

/** Writes a tensor's data at `offset` and returns the offset behind it. */
export function writeBinary(tensor: Tensor, target: Uint8Array, offset: number): number {
  if (tensor.datatype !== 'BYTES') {
    const { buffer, byteOffset, byteLength } = tensor.data;
    target.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
    return offset + byteLength;
  }
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  let at = offset;
  for (const element of tensor.data) {
    view.setUint32(at, element.byteLength, true);
    target.set(element, at + LENGTH_PREFIX_BYTES);
    at += LENGTH_PREFIX_BYTES + element.byteLength;
  }
  return at;
}

/**
 * Reads a tensor from exactly its bytes. The tensor is a view of them where they are aligned for the data type, a copy
 * where not.
 * @throws RequestError `invalid_body` where the bytes are not what the shape needs, or a BOOL is neither 0 nor 1.
 */
export function readBinary(name: string, datatype: Datatype, shape: readonly number[], bytes: Uint8Array): Tensor {
  const count = elementCount(name, shape);
  if (datatype === 'BYTES') return makeTensor(name, datatype, shape, readElements(name, count, bytes));
  const elementBytes = DATATYPE_BYTES[datatype];
  if (bytes.byteLength !== count * elementBytes) {
    throw new RequestError(
      'invalid_body',
      `tensor "${name}": ${bytes.byteLength} bytes; shape [${shape}] of ${datatype} needs ${count * elementBytes}`,
      { details: { tensor: name, datatype, shape, bytes: bytes.byteLength, expected: count * elementBytes } },
    );
  }
  if (datatype === 'BOOL' && bytes.some((byte) => byte > 1)) {
    throw new RequestError('invalid_body', `tensor "${name}": a BOOL is the byte 0 or 1`, {
      details: { tensor: name },
    });
  }
  // Not `slice`: Node's Buffer, which is a Uint8Array too, makes that a view.
  const aligned = bytes.byteOffset % elementBytes === 0 ? bytes : new Uint8Array(bytes);
  const data = viewNumeric(datatype, aligned.buffer, aligned.byteOffset, count);
  return { name, datatype, shape, data } as Tensor;
}

function readElements(name: string, count: number, bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const start = at + LENGTH_PREFIX_BYTES;
    const end = start <= bytes.byteLength ? start + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > bytes.byteLength) {
      throw new RequestError(
        'invalid_body',
        `tensor "${name}": BYTES element ${elements.length} at byte ${at} runs past the ${bytes.byteLength} bytes given`,
        { details: { tensor: name, element: elements.length, bytes: bytes.byteLength } },
      );
    }
    if (elements.length === count) break;
    elements.push(bytes.subarray(start, end));
    at = end;
  }
  if (elements.length !== count || at !== bytes.byteLength) {
    throw new RequestError(
      'invalid_body',
      `tensor "${name}": ${bytes.byteLength} bytes do not hold exactly ${count} BYTES elements`,
      { details: { tensor: name, expected: count, bytes: bytes.byteLength } },
    );
  }
  return elements;
}
