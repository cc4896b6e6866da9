/**
 * Tensor data as JSON: a flat array, or nested arrays of exactly the tensor's shape. Pure.
 * Source: Open Inference Protocol, "Tensor Data". Elements are checked, never coerced.
 */
import { float16Bits, float16ToFloat32 } from '../../model-store/float-formats.ts';
import { RequestError } from '../errors.ts';
import { allocateData, type Datatype, elementCount, makeTensor, type NumericTensor, type Tensor } from './datatypes.ts';

/** The largest finite binary16. */
const FLOAT16_MAX = 65504;

/** Smallest and largest value of the integer types whose values are JSON numbers. */
const INTEGER_RANGE: Partial<Record<Datatype, readonly [number, number]>> = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffff_ffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x8000_0000, 0x7fff_ffff],
  // JSON.parse gives doubles: beyond 2^53 a 64-bit integer is no longer exact, and must come as binary data.
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/**
 * Reads a tensor from its JSON `data`.
 * @throws RequestError `invalid_body` where the arrays do not have the shape, or an element is not of the data type.
 */
export function readJson(name: string, datatype: Datatype, shape: readonly number[], data: unknown): Tensor {
  const count = elementCount(name, shape);
  const values = flatten(name, shape, data, count);
  if (datatype === 'BYTES') {
    const encoder = new TextEncoder();
    const elements = values.map((value, index) => {
      if (typeof value !== 'string') throw badElement(name, datatype, index, value);
      return encoder.encode(value);
    });
    return makeTensor(name, datatype, shape, elements);
  }
  return { name, datatype, shape, data: readNumbers(name, datatype, values) } as Tensor;
}

function readNumbers(name: string, datatype: NumericTensor['datatype'], values: readonly unknown[]) {
  if (datatype === 'UINT64' || datatype === 'INT64') {
    const data = allocateData(datatype, values.length);
    for (let index = 0; index < values.length; index++) {
      data[index] = BigInt(checkNumber(name, datatype, index, values[index]));
    }
    return data;
  }
  const data = allocateData(datatype, values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (datatype === 'BOOL') {
      if (typeof value !== 'boolean') throw badElement(name, datatype, index, value);
      data[index] = value ? 1 : 0;
    } else {
      const number = checkNumber(name, datatype, index, value);
      data[index] = datatype === 'FP16' ? float16Bits(number) : number;
    }
  }
  return data;
}

function checkNumber(name: string, datatype: Datatype, index: number, value: unknown): number {
  if (typeof value !== 'number') throw badElement(name, datatype, index, value);
  const range = INTEGER_RANGE[datatype];
  const fits =
    range !== undefined
      ? Number.isInteger(value) && value >= range[0] && value <= range[1]
      : datatype === 'FP16'
        ? Math.abs(value) <= FLOAT16_MAX
        : datatype === 'FP64' || Number.isFinite(Math.fround(value));
  if (!fits) throw badElement(name, datatype, index, value);
  return value;
}

function badElement(name: string, datatype: Datatype, index: number, value: unknown): RequestError {
  const shown = JSON.stringify(value)?.slice(0, 40) ?? String(value);
  return new RequestError('invalid_body', `tensor "${name}": element ${index} is ${shown}: no ${datatype}`, {
    details: { tensor: name, datatype, element: index },
  });
}

function flatten(name: string, shape: readonly number[], data: unknown, count: number): readonly unknown[] {
  const mismatch = (found: string) =>
    new RequestError(
      'invalid_body',
      `tensor "${name}": ${found}; shape [${shape}] needs a flat array of ${count} or nested arrays of that shape`,
      { details: { tensor: name, shape, expected: count } },
    );
  if (!Array.isArray(data)) throw mismatch('"data" is not an array');
  if (!data.some(Array.isArray)) {
    if (data.length !== count) throw mismatch(`"data" has ${data.length} elements`);
    return data;
  }
  let level: readonly unknown[] = data;
  let expected = 1;
  for (let axis = 0; axis < shape.length; axis++) {
    expected *= shape[axis]!;
    if (level.length !== expected) throw mismatch(`"data" has ${level.length} entries at depth ${axis + 1}`);
    if (axis === shape.length - 1) break;
    const width = shape[axis + 1]!;
    if (!level.every((entry) => Array.isArray(entry) && entry.length === width)) {
      throw mismatch(`"data" is uneven at depth ${axis + 2}`);
    }
    level = level.flat(1);
  }
  return level;
}

/**
 * A tensor's data as the text of a flat JSON array, 64-bit integers in full.
 * @throws RequestError `unsupported_media_type` where JSON cannot carry an element: NaN, infinities, bytes that are not UTF-8.
 */
export function writeJson(tensor: Tensor): string {
  if (tensor.datatype === 'BYTES')
    return JSON.stringify(tensor.data.map((element) => decodeUtf8(tensor.name, element)));
  if (tensor.datatype === 'BOOL') return `[${Array.from(tensor.data, (value) => value !== 0).join(',')}]`;
  if (tensor.datatype === 'FP16') return writeFloats(tensor.name, float16ToFloat32(tensor.data));
  if (tensor.datatype === 'FP32' || tensor.datatype === 'FP64') return writeFloats(tensor.name, tensor.data);
  return `[${tensor.data.join(',')}]`;
}

function writeFloats(name: string, values: ArrayLike<number>): string {
  for (let index = 0; index < values.length; index++) {
    if (!Number.isFinite(values[index])) throw notInJson(name, `element ${index} is ${values[index]}`);
  }
  return `[${Array.prototype.join.call(values, ',')}]`;
}

function decodeUtf8(name: string, element: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(element);
  } catch {
    throw notInJson(name, `an element of ${element.byteLength} bytes is not UTF-8`);
  }
}

function notInJson(name: string, found: string): RequestError {
  return new RequestError(
    'unsupported_media_type',
    `tensor "${name}": ${found}, which JSON cannot carry: ask for binary_data`,
    {
      details: { tensor: name },
    },
  );
}
