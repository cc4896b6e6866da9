/**
 * PNG chunks that carry EXIF or XMP: eXIf, and the text chunks that came before it (PNG specification 11.3.3).
 *
 * Chunks are noted while the file is read; text is decompressed only where the orientation is asked for.
 */
import { ImageError } from '../../errors.ts';
import { resolveOrientation } from '../exif.ts';
import type { Orientation } from '../image.ts';
import { inflate, inflateMemoryBytes } from '../inflate/inflate.ts';
import type { Chunk } from './chunk.ts';

/** The last chunk of each kind. */
export interface Metadata {
  exif: Chunk | undefined;
  /** EXIF in hexadecimal, as ImageMagick and others wrote it; counts only where there is no eXIf. */
  rawProfile: Chunk | undefined;
  xmp: Chunk | undefined;
}

/** Longest text that is decompressed, as in Pillow (`MAX_TEXT_CHUNK`). */
const MAX_TEXT_BYTES = 1_048_576;
/** DEFLATE's greatest ratio: 258 bytes for 2 bits. */
const MAX_RATIO = 1032;

const RAW_PROFILE_KEYWORD = 'Raw profile type exif';
const XMP_KEYWORD = 'XML:com.adobe.xmp';

/**
 * Notes an eXIf, tEXt, zTXt or iTXt chunk if it carries metadata.
 *
 * @throws ImageError `corrupt_image` for a zTXt chunk whose compression method is not 0
 */
export function noteMetadata(bytes: Uint8Array, chunk: Chunk, metadata: Metadata): void {
  if (chunk.type === 'eXIf') {
    metadata.exif = chunk;
    return;
  }
  const data = dataOf(bytes, chunk);
  const split = data.indexOf(0);
  const method = chunk.type === 'zTXt' && split >= 0 ? (data[split + 1] ?? 0) : 0;
  if (method !== 0) {
    throw new ImageError('corrupt_image', `PNG zTXt chunk has compression method ${method}; only 0 exists`);
  }
  if (startsWith(data, RAW_PROFILE_KEYWORD, split)) metadata.rawProfile = chunk;
  if (startsWith(data, XMP_KEYWORD, split)) metadata.xmp = chunk;
}

/** The orientation that the noted chunks give: eXIf's, else the raw profile's, else XMP's. */
export function readOrientation(bytes: Uint8Array, metadata: Metadata): Orientation {
  const { exif, rawProfile, xmp } = metadata;
  const profile =
    exif === undefined && rawProfile !== undefined ? parseRawProfile(readText(bytes, rawProfile)) : undefined;
  return resolveOrientation(
    exif === undefined ? profile : dataOf(bytes, exif),
    xmp === undefined ? undefined : readText(bytes, xmp),
  );
}

/** Bytes that `readOrientation` allocates at most. */
export function metadataMemoryBytes(metadata: Metadata): number {
  let bytes = 0;
  for (const chunk of [metadata.rawProfile, metadata.xmp]) {
    if (chunk === undefined) continue;
    const textBytes = Math.min(MAX_TEXT_BYTES, chunk.length * MAX_RATIO);
    // The text in pieces, joined, and as the bytes that its digits stand for.
    bytes += chunk.type === 'tEXt' ? chunk.length : inflateMemoryBytes(0) + 3 * textBytes;
  }
  return bytes;
}

function dataOf(bytes: Uint8Array, chunk: Chunk): Uint8Array {
  return bytes.subarray(chunk.start, chunk.start + chunk.length);
}

function startsWith(data: Uint8Array, keyword: string, length: number): boolean {
  if (length !== keyword.length) return false;
  for (let i = 0; i < length; i++) if (data[i] !== keyword.charCodeAt(i)) return false;
  return true;
}

/** The text of a chunk with a keyword; empty where it is damaged. */
function readText(bytes: Uint8Array, chunk: Chunk): Uint8Array {
  const data = dataOf(bytes, chunk);
  const split = data.indexOf(0);
  if (chunk.type === 'tEXt') return data.subarray(split + 1);
  if (chunk.type === 'zTXt') return inflateText(data.subarray(split + 2));
  // iTXt: compressed or not, method, language, 0, translated keyword, 0, text.
  const language = data.indexOf(0, split + 3);
  const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
  if (translated < 0) return data.subarray(0, 0);
  const text = data.subarray(translated + 1);
  if (data[split + 1] === 0) return text;
  return data[split + 2] === 0 ? inflateText(text) : data.subarray(0, 0);
}

/** A raw profile: an empty line, the name, the length, then the bytes in hexadecimal lines. */
function parseRawProfile(text: Uint8Array): Uint8Array {
  const lines = new TextDecoder('latin1').decode(text).split('\n').slice(3);
  const digits = lines.join('').replace(/\s/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) return text.subarray(0, 0);
  const exif = new Uint8Array(digits.length / 2);
  for (let i = 0; i < exif.length; i++) exif[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return exif;
}

/** Decompresses up to `MAX_TEXT_BYTES`; nothing where the stream is damaged. */
function inflateText(stream: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  let isFirst = true;
  const ranges = {
    start: 0,
    end: stream.length,
    next: () => {
      const wasFirst = isFirst;
      isFirst = false;
      return wasFirst;
    },
  };
  const result = inflate(stream, ranges, MAX_TEXT_BYTES, 0, {
    consume(bytes, start, end) {
      pieces.push(bytes.slice(start, end));
      return end;
    },
  });
  if (result.status === 'corrupt') return stream.subarray(0, 0);
  const text = new Uint8Array(result.producedBytes);
  let at = 0;
  for (const piece of pieces) {
    text.set(piece, at);
    at += piece.length;
  }
  return text;
}
