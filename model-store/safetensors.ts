/**
 * The safetensors container, read and written. Pure, no I/O: bytes come in as one array, or the header alone
 * (`parseSafetensorsHeader`) for callers that fetch tensors by range.
 * Format: https://huggingface.co/docs/safetensors/index#format. As strict as the reference reader: the tensors tile the
 * data exactly, without holes and overlaps.
 */
import { ModelError } from '../worker/errors.ts';
import { bfloat16ToFloat32, float8E4M3ToFloat32, float8E5M2ToFloat32, float16ToFloat32 } from './float-formats.ts';

/** Element types whose size is a whole number of bytes, with that size. */
const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** Element types that are read. */
export type SafetensorsDtype = keyof typeof DTYPE_BYTES;

/** Bytes before the header: its length as a little-endian 64-bit integer. */
export const SAFETENSORS_PREFIX_BYTES = 8;

/** The reference reader's limit on the header. */
export const MAX_SAFETENSORS_HEADER_BYTES = 100_000_000;

/** One tensor: row-major little-endian elements. */
export interface SafetensorsTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Where one tensor lies. */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Offset in bytes from the beginning of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** A parsed header. */
export interface SafetensorsHeader {
  /** By name, in the order of the data. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A parsed file; the tensors are views of the bytes given. */
export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Length of the JSON header in bytes, from the first 8 bytes of a file.
 * @param file what to call the file in messages.
 * @throws ModelError `invalid_checkpoint` where the file is too short or the length absurd.
 */
export function safetensorsHeaderBytes(prefix: Uint8Array, fileBytes: number, file = 'safetensors'): number {
  if (prefix.byteLength < SAFETENSORS_PREFIX_BYTES || fileBytes < SAFETENSORS_PREFIX_BYTES) {
    throw invalid(`${file}: ${fileBytes} bytes; a safetensors file has at least ${SAFETENSORS_PREFIX_BYTES}`);
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, SAFETENSORS_PREFIX_BYTES);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAX_SAFETENSORS_HEADER_BYTES)) {
    throw invalid(
      `${file}: header of ${length} bytes; limit ${MAX_SAFETENSORS_HEADER_BYTES} (is this a safetensors file?)`,
    );
  }
  if (length > BigInt(fileBytes - SAFETENSORS_PREFIX_BYTES)) {
    throw invalid(`${file}: header of ${length} bytes in a file of ${fileBytes}: the file is cut off`);
  }
  return Number(length);
}

/**
 * Parses and checks the JSON header.
 * @param header the bytes behind the 8-byte prefix, exactly `safetensorsHeaderBytes` of them.
 * @throws ModelError `invalid_checkpoint` naming the tensor that is malformed, overlaps, or reaches out of the file.
 */
export function parseSafetensorsHeader(header: Uint8Array, fileBytes: number, file = 'safetensors'): SafetensorsHeader {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header));
  } catch (cause) {
    throw invalid(`${file}: header of ${header.byteLength} bytes is not JSON`, cause);
  }
  if (!isRecord(json)) throw invalid(`${file}: header is not a JSON object`);
  const dataStart = SAFETENSORS_PREFIX_BYTES + header.byteLength;
  let metadata: Record<string, string> = {};
  const entries: [string, SafetensorsEntry][] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = parseMetadata(value, file);
    else entries.push([name, parseEntry(name, value, dataStart, fileBytes, file)]);
  }
  entries.sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const [name, entry] of entries) {
    if (entry.offset !== end) {
      const what = entry.offset < end ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw invalid(
        `${file}: tensor "${name}" ${what}: begins at ${entry.offset - dataStart}, expected ${end - dataStart}`,
      );
    }
    end += entry.byteLength;
  }
  if (end !== fileBytes) {
    throw invalid(`${file}: tensors end at byte ${end}, the file has ${fileBytes}`);
  }
  return { entries: new Map(entries), metadata };
}

/**
 * Reads a whole file.
 * @returns views of `bytes`, no copies.
 * @throws ModelError `invalid_checkpoint`.
 */
export function readSafetensors(bytes: Uint8Array, file = 'safetensors'): SafetensorsFile {
  const headerBytes = safetensorsHeaderBytes(bytes, bytes.byteLength, file);
  const headerEnd = SAFETENSORS_PREFIX_BYTES + headerBytes;
  const header = parseSafetensorsHeader(bytes.subarray(SAFETENSORS_PREFIX_BYTES, headerEnd), bytes.byteLength, file);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [name, { dtype, shape, offset, byteLength }] of header.entries) {
    tensors.set(name, { dtype, shape, data: bytes.subarray(offset, offset + byteLength) });
  }
  return { tensors, metadata: header.metadata };
}

/**
 * A tensor's elements as float32; a view where the tensor is F32 and aligned, otherwise a copy.
 * F64 and 64-bit integers are rounded to the nearest float32.
 */
export function tensorToFloat32(tensor: SafetensorsTensor): Float32Array {
  const size = DTYPE_BYTES[tensor.dtype];
  const aligned = tensor.data.byteOffset % size === 0 ? tensor.data : tensor.data.slice();
  const { buffer, byteOffset, byteLength } = aligned;
  const count = byteLength / size;
  switch (tensor.dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, count);
    case 'F16':
      return float16ToFloat32(new Uint16Array(buffer, byteOffset, count));
    case 'BF16':
      return bfloat16ToFloat32(new Uint16Array(buffer, byteOffset, count));
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, count));
    case 'F8_E5M2':
      return float8E5M2ToFloat32(aligned);
    case 'F8_E4M3':
      return float8E4M3ToFloat32(aligned);
    case 'BOOL':
    case 'U8':
      return Float32Array.from(aligned);
    case 'I8':
      return Float32Array.from(new Int8Array(buffer, byteOffset, count));
    case 'I16':
      return Float32Array.from(new Int16Array(buffer, byteOffset, count));
    case 'U16':
      return Float32Array.from(new Uint16Array(buffer, byteOffset, count));
    case 'I32':
      return Float32Array.from(new Int32Array(buffer, byteOffset, count));
    case 'U32':
      return Float32Array.from(new Uint32Array(buffer, byteOffset, count));
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer, byteOffset, count), Number);
    case 'U64':
      return Float32Array.from(new BigUint64Array(buffer, byteOffset, count), Number);
  }
}

/** An F32 tensor around `data`; the inverse of `tensorToFloat32`. */
export function float32Tensor(shape: readonly number[], data: Float32Array): SafetensorsTensor {
  return { dtype: 'F32', shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/**
 * Writes a file: tensors by falling element size, then by name, behind a header padded to 8 bytes, so that every tensor
 * is aligned and equal tensors give equal bytes.
 * @throws ModelError `invalid_checkpoint` where a tensor's data does not fit its shape.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const sorted = [...tensors].sort(([nameA, a], [nameB, b]) => {
    return DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || (nameA < nameB ? -1 : 1);
  });
  const fields: [string, unknown][] = metadata === undefined ? [] : [['__metadata__', metadata]];
  let dataBytes = 0;
  for (const [name, tensor] of sorted) {
    const expected = elementCount(tensor.shape) * DTYPE_BYTES[tensor.dtype];
    if (tensor.data.byteLength !== expected) {
      throw invalid(
        `tensor "${name}": ${tensor.data.byteLength} bytes for [${tensor.shape}] ${tensor.dtype} = ${expected}`,
      );
    }
    const end = dataBytes + expected;
    fields.push([name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [dataBytes, end] }]);
    dataBytes = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)));
  const headerBytes = Math.ceil(json.byteLength / 8) * 8;
  const out = new Uint8Array(SAFETENSORS_PREFIX_BYTES + headerBytes + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes), true);
  out.fill(0x20, SAFETENSORS_PREFIX_BYTES, SAFETENSORS_PREFIX_BYTES + headerBytes);
  out.set(json, SAFETENSORS_PREFIX_BYTES);
  let offset = SAFETENSORS_PREFIX_BYTES + headerBytes;
  for (const [, tensor] of sorted) {
    out.set(tensor.data, offset);
    offset += tensor.data.byteLength;
  }
  return out;
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  if (!isRecord(value)) throw invalid(`${file}: __metadata__ is not an object`);
  const metadata: Record<string, string> = {};
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw invalid(`${file}: __metadata__.${key} is not a string`);
    metadata[key] = text;
  }
  return metadata;
}

function parseEntry(
  name: string,
  value: unknown,
  dataStart: number,
  fileBytes: number,
  file: string,
): SafetensorsEntry {
  if (!isRecord(value)) throw invalid(`${file}: tensor "${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) throw invalid(`${file}: tensor "${name}": dtype ${JSON.stringify(dtype)} is not supported`);
  if (!isCountArray(shape)) throw invalid(`${file}: tensor "${name}": shape ${JSON.stringify(shape)} is not a shape`);
  if (!isCountArray(offsets) || offsets.length !== 2) {
    throw invalid(`${file}: tensor "${name}": data_offsets ${JSON.stringify(offsets)} are not [begin, end]`);
  }
  const [begin, end] = [offsets[0]!, offsets[1]!];
  const byteLength = elementCount(shape) * DTYPE_BYTES[dtype];
  if (end - begin !== byteLength) {
    throw invalid(`${file}: tensor "${name}": ${end - begin} bytes for [${shape}] ${dtype} = ${byteLength}`);
  }
  if (dataStart + end > fileBytes) {
    throw invalid(`${file}: tensor "${name}" ends at byte ${dataStart + end}, the file has ${fileBytes}`);
  }
  return { dtype, shape, offset: dataStart + begin, byteLength };
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === 'string' && Object.hasOwn(DTYPE_BYTES, value);
}

function isCountArray(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function invalid(message: string, cause?: unknown): ModelError {
  return new ModelError('invalid_checkpoint', message, cause === undefined ? {} : { cause });
}
