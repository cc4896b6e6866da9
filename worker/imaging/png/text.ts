/** PNG text chunks, as far as they carry EXIF or XMP (PNG specification 11.3.3; eXIf's predecessors). */
import { ImageError } from '../../errors.ts';
import { inflate } from './inflate.ts';

/** Longest text that is decompressed, as in Pillow (`MAX_TEXT_CHUNK`). */
const MAX_TEXT_BYTES = 1_048_576;

const RAW_EXIF_KEYWORD = 'Raw profile type exif';
const XMP_KEYWORD = 'XML:com.adobe.xmp';

/** Where metadata is put. */
export interface Metadata {
  exif: Uint8Array | undefined;
  rawProfileExif: Uint8Array | undefined;
  xmp: Uint8Array | undefined;
}

/** tEXt: keyword, 0, Latin-1 text. */
export function parseText(data: Uint8Array, metadata: Metadata): void {
  const split = data.indexOf(0);
  if (split > 0) keep(latin1(data.subarray(0, split)), data.subarray(split + 1), metadata);
}

/**
 * zTXt: keyword, 0, compression method, zlib stream.
 *
 * @throws ImageError `corrupt_image` where the compression method is not 0
 */
export function parseCompressedText(data: Uint8Array, metadata: Metadata): void {
  const split = data.indexOf(0);
  if (split < 0) return;
  const method = data[split + 1] ?? 0;
  if (method !== 0)
    throw new ImageError('corrupt_image', `PNG zTXt chunk has compression method ${method}; only 0 exists`);
  const keyword = latin1(data.subarray(0, split));
  if (isWanted(keyword)) keep(keyword, inflateText(data, split + 2), metadata);
}

/** iTXt: keyword, 0, compressed or not, method, language, 0, translated keyword, 0, UTF-8 text. */
export function parseInternationalText(data: Uint8Array, metadata: Metadata): void {
  const split = data.indexOf(0);
  if (split < 0) return;
  const keyword = latin1(data.subarray(0, split));
  if (!isWanted(keyword)) return;
  const language = data.indexOf(0, split + 3);
  const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
  if (translated < 0) return;
  if (data[split + 1] === 0) keep(keyword, data.subarray(translated + 1), metadata);
  else if (data[split + 2] === 0) keep(keyword, inflateText(data, translated + 1), metadata);
}

function isWanted(keyword: string): boolean {
  return keyword === RAW_EXIF_KEYWORD || keyword === XMP_KEYWORD;
}

function keep(keyword: string, text: Uint8Array, metadata: Metadata): void {
  if (keyword === XMP_KEYWORD) metadata.xmp = text;
  if (keyword === RAW_EXIF_KEYWORD) metadata.rawProfileExif = parseRawProfile(latin1(text));
}

/** ImageMagick's raw profile: an empty line, the name, the length, then the bytes in hexadecimal lines. */
function parseRawProfile(text: string): Uint8Array {
  const digits = text.split('\n').slice(3).join('').replace(/\s/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) return new Uint8Array(0);
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** Decompresses up to `MAX_TEXT_BYTES`; nothing where the stream is damaged. */
function inflateText(data: Uint8Array, from: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  const result = inflate(data, [from, data.length], MAX_TEXT_BYTES, 0, {
    consume(bytes, start, end) {
      pieces.push(bytes.slice(start, end));
      return end;
    },
  });
  const text = new Uint8Array(result.status === 'corrupt' ? 0 : result.producedBytes);
  let at = 0;
  for (const piece of pieces) {
    if (at + piece.length > text.length) break;
    text.set(piece, at);
    at += piece.length;
  }
  return text;
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}
