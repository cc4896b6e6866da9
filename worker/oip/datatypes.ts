/**
 * The tensor data types of Open Inference Protocol v2, and the typed arrays that hold them. Pure.
 * Source: Open Inference Protocol, "Tensor Data Types"; Triton, "Binary Tensor Data Extension".
 */
import { RequestError } from '../errors.ts';

/** Element size in bytes of every data type; 0 for BYTES, whose elements carry their own length. */
export const DATATYPE_BYTES = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
} as const;

/** A data type as the protocol spells it. */
export type Datatype = keyof typeof DATATYPE_BYTES;

/** What holds a tensor's elements, row-major. BOOL is one byte of 0 or 1; FP16 is the raw bits (see `float-formats.ts`). */
export interface DataOf {
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  FP16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  BYTES: readonly Uint8Array[];
}

/** A named tensor: `data` holds exactly the product of `shape` elements. */
export type Tensor = {
  [D in Datatype]: {
    readonly name: string;
    readonly datatype: D;
    readonly shape: readonly number[];
    readonly data: DataOf[D];
  };
}[Datatype];

/** A tensor of numbers, booleans or bits: all but BYTES. */
export type NumericTensor = Exclude<Tensor, { datatype: 'BYTES' }>;

/** Whether `text` is a data type of the protocol. */
export function isDatatype(text: string): text is Datatype {
  return Object.hasOwn(DATATYPE_BYTES, text);
}

/**
 * The number of elements of a shape; 1 for a scalar's empty shape.
 * @throws RequestError `invalid_body` where a dimension is no count, or the product is not exact in a double.
 */
export function elementCount(name: string, shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw new RequestError('invalid_body', `tensor "${name}": dimension ${dimension} of [${shape}] is not a count`, {
        details: { tensor: name, shape },
      });
    }
    count *= dimension;
  }
  if (!Number.isSafeInteger(count)) {
    throw new RequestError('invalid_body', `tensor "${name}": shape [${shape}] has ${count} elements: too many`, {
      details: { tensor: name, shape },
    });
  }
  return count;
}

/**
 * Puts a name, a data type, a shape and data together, checking that they agree.
 * @throws RequestError `invalid_body` where the data does not hold the shape's number of elements.
 */
export function makeTensor<D extends Datatype>(name: string, datatype: D, shape: readonly number[], data: DataOf[D]) {
  const expected = elementCount(name, shape);
  if (data.length !== expected) {
    throw new RequestError(
      'invalid_body',
      `tensor "${name}": ${data.length} elements; shape [${shape}] of ${datatype} needs ${expected}`,
      { details: { tensor: name, datatype, shape, elements: data.length, expected } },
    );
  }
  return { name, datatype, shape, data };
}

/** New zeroed elements of a numeric data type. */
export function allocateData<D extends NumericTensor['datatype']>(datatype: D, count: number): DataOf[D];
export function allocateData(datatype: NumericTensor['datatype'], count: number): DataOf[NumericTensor['datatype']] {
  return viewNumeric(datatype, new ArrayBuffer(count * DATATYPE_BYTES[datatype]), 0, count);
}

/** A typed view of `count` elements; `byteOffset` must be a multiple of the element size. */
export function viewNumeric(
  datatype: NumericTensor['datatype'],
  buffer: ArrayBufferLike,
  byteOffset: number,
  count: number,
): DataOf[NumericTensor['datatype']] {
  switch (datatype) {
    case 'BOOL':
    case 'UINT8':
      return new Uint8Array(buffer, byteOffset, count);
    case 'INT8':
      return new Int8Array(buffer, byteOffset, count);
    case 'UINT16':
    case 'FP16':
      return new Uint16Array(buffer, byteOffset, count);
    case 'INT16':
      return new Int16Array(buffer, byteOffset, count);
    case 'UINT32':
      return new Uint32Array(buffer, byteOffset, count);
    case 'INT32':
      return new Int32Array(buffer, byteOffset, count);
    case 'UINT64':
      return new BigUint64Array(buffer, byteOffset, count);
    case 'INT64':
      return new BigInt64Array(buffer, byteOffset, count);
    case 'FP32':
      return new Float32Array(buffer, byteOffset, count);
    case 'FP64':
      return new Float64Array(buffer, byteOffset, count);
  }
}
