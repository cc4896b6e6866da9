/**
 * Zip archives, as far as NumPy and torch write them: stored or deflated members, zip64 included, CRC-32 checked. No I/O of its
 * own. Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to 4.3.16 (ends),
 * 4.5.3 (zip64 extra field).
 */
import { ModelError } from '../worker/errors.ts';
import type { RandomAccessFile } from './checkpoint-directory.ts';
import { crc32 } from './crc32.ts';

const END_SIGNATURE = 0x06054b50;
const ZIP64_END_SIGNATURE = 0x06064b50;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_BYTES = 56;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
/** A central directory larger than this belongs to no checkpoint. */
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;
const DEFLATED = 8;
/** Deflate makes at most this many bytes of one (RFC 1951: 258 bytes of two bits). */
const MAX_DEFLATE_RATIO = 1032;

/** Compression method of members that are kept as they are. */
export const STORED = 0;

/** One member of an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc32: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  /** Of the local header, in bytes from the beginning of the file. */
  readonly offset: number;
}

/**
 * The members of an archive, by name.
 * @throws ModelError `invalid_checkpoint` where the file is no zip, cut off, encrypted, or lists a member twice.
 */
export async function readZipDirectory(file: RandomAccessFile): Promise<Map<string, ZipEntry>> {
  const { offset, bytes, count } = await findDirectory(file);
  if (bytes > MAX_DIRECTORY_BYTES || offset + bytes > file.size) {
    throw invalid(file, `central directory of ${bytes} bytes at ${offset} in a file of ${file.size}`);
  }
  const data = await file.read(offset, bytes);
  const view = viewOf(data);
  const entries = new Map<string, ZipEntry>();
  let position = 0;
  for (let index = 0; index < count; index++) {
    if (position + CENTRAL_BYTES > bytes || view.getUint32(position, true) !== CENTRAL_SIGNATURE) {
      throw invalid(file, `central directory breaks off at entry ${index} of ${count}`);
    }
    const nameBytes = view.getUint16(position + 28, true);
    const extraBytes = view.getUint16(position + 30, true);
    const next = position + CENTRAL_BYTES + nameBytes + extraBytes + view.getUint16(position + 32, true);
    if (next > bytes) throw invalid(file, `central directory breaks off at entry ${index} of ${count}`);
    const nameStart = position + CENTRAL_BYTES;
    const name = new TextDecoder().decode(data.subarray(nameStart, nameStart + nameBytes));
    if (view.getUint16(position + 8, true) & 1) throw invalid(file, `member "${name}" is encrypted`);
    const sizes = readSizes(file, view, position, nameStart + nameBytes, extraBytes);
    const entry = { name, method: view.getUint16(position + 10, true), crc32: view.getUint32(position + 16, true) };
    if (entries.has(name)) throw invalid(file, `member "${name}" is there twice`);
    entries.set(name, { ...entry, ...sizes });
    position = next;
  }
  return entries;
}

/**
 * Where the bytes of one member begin, from the beginning of the file; all of them are in it.
 * @throws ModelError `invalid_checkpoint` where they are cut off.
 */
export async function locateZipEntry(file: RandomAccessFile, entry: ZipEntry): Promise<number> {
  if (entry.offset + LOCAL_BYTES > file.size) throw invalid(file, `member "${entry.name}" lies behind the end`);
  const header = viewOf(await file.read(entry.offset, LOCAL_BYTES));
  if (header.getUint32(0, true) !== LOCAL_SIGNATURE) throw invalid(file, `member "${entry.name}" has no local header`);
  const start = entry.offset + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + entry.compressedBytes > file.size) throw invalid(file, `member "${entry.name}" is cut off`);
  return start;
}

/**
 * The bytes of one member, uncompressed.
 * @param options `allowMissingCrc`: a CRC-32 of 0 says that none was computed.
 * @throws ModelError `invalid_checkpoint` where they are cut off, too many, or fail the CRC.
 */
export async function readZipEntry(
  file: RandomAccessFile,
  entry: ZipEntry,
  options: { readonly allowMissingCrc?: boolean } = {},
): Promise<Uint8Array> {
  const stored = await file.read(await locateZipEntry(file, entry), entry.compressedBytes);
  const bytes = await unpack(file, entry, stored);
  if (options.allowMissingCrc && entry.crc32 === 0) return bytes;
  const actual = crc32(bytes);
  if (actual !== entry.crc32) {
    throw invalid(file, `member "${entry.name}" is damaged: CRC-32 ${hex(actual)}, expected ${hex(entry.crc32)}`);
  }
  return bytes;
}

async function unpack(file: RandomAccessFile, entry: ZipEntry, stored: Uint8Array): Promise<Uint8Array> {
  if (entry.method === STORED) {
    if (entry.bytes === entry.compressedBytes) return stored;
    throw invalid(file, `member "${entry.name}" is stored in ${entry.compressedBytes} bytes but has ${entry.bytes}`);
  }
  if (entry.method !== DEFLATED) {
    throw invalid(
      file,
      `member "${entry.name}" has compression method ${entry.method}; supported: 0 stored, 8 deflate`,
    );
  }
  if (entry.bytes > entry.compressedBytes * MAX_DEFLATE_RATIO) {
    throw invalid(file, `member "${entry.name}" claims ${entry.bytes} bytes of ${entry.compressedBytes}`);
  }
  const out = new Uint8Array(entry.bytes);
  let filled = 0;
  const stream = new Blob([stored as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'));
  const reader = stream.getReader();
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      if (filled + step.value.byteLength > out.byteLength) break;
      out.set(step.value, filled);
      filled += step.value.byteLength;
      if (filled === out.byteLength) return out;
    }
    if (filled === out.byteLength) return out;
  } catch (cause) {
    throw invalid(file, `member "${entry.name}" is damaged: deflate stream breaks after ${filled} bytes`, cause);
  } finally {
    await reader.cancel().catch(() => {});
  }
  throw invalid(file, `member "${entry.name}" does not inflate to the ${entry.bytes} bytes it claims`);
}

async function findDirectory(file: RandomAccessFile): Promise<{ offset: number; bytes: number; count: number }> {
  const tailBytes = Math.min(file.size, END_BYTES + MAX_COMMENT_BYTES);
  const tailStart = file.size - tailBytes;
  const tail = viewOf(await file.read(tailStart, tailBytes));
  for (let end = tailBytes - END_BYTES; end >= 0; end--) {
    if (tail.getUint32(end, true) !== END_SIGNATURE || end + END_BYTES + tail.getUint16(end + 20, true) > tailBytes)
      continue;
    const count = tail.getUint16(end + 10, true);
    const bytes = tail.getUint32(end + 12, true);
    const offset = tail.getUint32(end + 16, true);
    const isZip64 = count === 0xffff || bytes === 0xffffffff || offset === 0xffffffff;
    return isZip64 ? findZip64Directory(file, tailStart + end) : { offset, bytes, count };
  }
  throw invalid(file, `${file.size} bytes without a zip directory: not a zip file, or cut off`);
}

async function findZip64Directory(file: RandomAccessFile, end: number) {
  if (end < ZIP64_LOCATOR_BYTES) throw invalid(file, 'zip64 locator is missing');
  const locator = viewOf(await file.read(end - ZIP64_LOCATOR_BYTES, ZIP64_LOCATOR_BYTES));
  if (locator.getUint32(0, true) !== ZIP64_LOCATOR_SIGNATURE) throw invalid(file, 'zip64 locator is missing');
  const position = uint64(file, locator, 8);
  if (position + ZIP64_END_BYTES > file.size) throw invalid(file, 'zip64 directory end lies behind the end');
  const record = viewOf(await file.read(position, ZIP64_END_BYTES));
  if (record.getUint32(0, true) !== ZIP64_END_SIGNATURE) throw invalid(file, 'zip64 directory end is missing');
  return { count: uint64(file, record, 32), bytes: uint64(file, record, 40), offset: uint64(file, record, 48) };
}

/** Sizes and offset of an entry; those that are all ones lie in the zip64 extra field, in this order. */
function readSizes(file: RandomAccessFile, view: DataView, entry: number, extraStart: number, extraBytes: number) {
  const sizes = [view.getUint32(entry + 24, true), view.getUint32(entry + 20, true), view.getUint32(entry + 42, true)];
  for (let position = extraStart; position + 4 <= extraStart + extraBytes; ) {
    const id = view.getUint16(position, true);
    const fieldEnd = position + 4 + view.getUint16(position + 2, true);
    if (id === 1) {
      let at = position + 4;
      for (let i = 0; i < sizes.length; i++) {
        if (sizes[i] !== 0xffffffff) continue;
        if (at + 8 > Math.min(fieldEnd, view.byteLength)) throw invalid(file, 'zip64 field is too short');
        sizes[i] = uint64(file, view, at);
        at += 8;
      }
    }
    position = fieldEnd;
  }
  return { bytes: sizes[0]!, compressedBytes: sizes[1]!, offset: sizes[2]! };
}

function uint64(file: RandomAccessFile, view: DataView, position: number): number {
  const value = view.getBigUint64(position, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(file, `a size of ${value} bytes`);
  return Number(value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function invalid(file: RandomAccessFile, problem: string, cause?: unknown): ModelError {
  return new ModelError('invalid_checkpoint', `${file.name}: ${problem}`, cause === undefined ? {} : { cause });
}
