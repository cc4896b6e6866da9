/**
 * Compressed request bodies (RFC 9110 section 8.4): gzip, deflate and br, inflated within a size and a ratio, so that a small body
 * never becomes more than it is worth. Pure.
 */
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { RequestError } from '../errors.ts';

/** Encodings that are inflated; also the value of `Accept-Encoding` in the refusal of others (RFC 7694). */
export const CONTENT_ENCODINGS = ['gzip', 'deflate', 'br'] as const;
export type ContentEncoding = (typeof CONTENT_ENCODINGS)[number];

/** Most bytes that a byte may become: JSON of many equal numbers compresses some 100 times, a bomb 1,000 times. */
export const MAX_INFLATE_RATIO = 200;

/** Small bodies may become this large whatever their ratio. */
const FREE_BYTES = 64 * 1024;

/** workerd counts output by whole pieces of its buffer and refuses what is a little under its limit; the rest is checked here. */
const SLACK_BYTES = 64 * 1024;

/**
 * How a body is encoded; null where it is not.
 * @throws RequestError `unsupported_media_type` with `accept_encoding` in its details.
 */
export function contentEncodingOf(headers: Headers): ContentEncoding | null {
  const given = (headers.get('content-encoding') ?? '').trim().toLowerCase();
  if (given === '' || given === 'identity') return null;
  const encoding = given === 'x-gzip' ? 'gzip' : CONTENT_ENCODINGS.find((each) => each === given);
  if (encoding !== undefined) return encoding;
  throw unsupportedEncoding(given, CONTENT_ENCODINGS);
}

/** For routes that take no compressed body. @throws RequestError `unsupported_media_type`. */
export function refuseContentEncoding(headers: Headers): void {
  const given = (headers.get('content-encoding') ?? '').trim().toLowerCase();
  if (given !== '' && given !== 'identity') throw unsupportedEncoding(given, ['identity']);
}

/** The most bytes that a compressed body may become. */
export function inflatedLimit(compressedBytes: number, maxBytes: number): number {
  return Math.min(maxBytes, Math.max(FREE_BYTES, MAX_INFLATE_RATIO * compressedBytes));
}

/**
 * Inflates a whole body.
 * @throws RequestError `body_too_large` where it becomes more than `inflatedLimit`, `invalid_body` where it is damaged.
 */
export function inflateBody(body: Uint8Array, encoding: ContentEncoding, maxBytes: number): Uint8Array<ArrayBuffer> {
  const limit = inflatedLimit(body.byteLength, maxBytes);
  const tooLarge = new RequestError(
    'body_too_large',
    `the ${encoding} body of ${body.byteLength} bytes inflates to over ${limit}`,
    { details: { bytes: body.byteLength, limit_bytes: limit } },
  );
  let inflated: Uint8Array;
  try {
    inflated = inflaterOf(body, encoding)(body, { maxOutputLength: limit + SLACK_BYTES });
  } catch (cause) {
    if (isTooLarge(cause)) throw tooLarge;
    throw new RequestError('invalid_body', `the body of ${body.byteLength} bytes is not a whole ${encoding} stream`, {
      cause,
    });
  }
  if (inflated.byteLength > limit) throw tooLarge;
  return new Uint8Array(inflated.buffer as ArrayBuffer, inflated.byteOffset, inflated.byteLength);
}

function inflaterOf(body: Uint8Array, encoding: ContentEncoding) {
  if (encoding === 'gzip') return gunzipSync;
  if (encoding === 'br') return brotliDecompressSync;
  // "deflate" is a zlib stream (RFC 1950); some clients send the bare one (RFC 1951).
  const [first = 0, second = 0] = body;
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0 ? inflateSync : inflateRawSync;
}

/** Node says so by a code, workerd by a RangeError. */
function isTooLarge(error: unknown): boolean {
  if (error instanceof RangeError) return true;
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function unsupportedEncoding(given: string, accepted: readonly string[]): RequestError {
  return new RequestError(
    'unsupported_media_type',
    `Content-Encoding "${given.slice(0, 40)}" is not accepted here; accepted: ${accepted.join(', ')}`,
    { details: { accept_encoding: accepted } },
  );
}
