/** Request bodies: read with a limit while they stream. */
import { type ByteSource, openByteSource } from '../../../model-store/byte-source.ts';
import { contentEncodingOf, inflateBody, inflatedLimit } from '../../body/content-encoding.ts';
import { type BodyDeadlines, withDeadlines } from '../../body/deadlines.ts';
import { readGrowing } from '../../body/growing-read.ts';
import { AppError, RequestError } from '../../errors.ts';
import { type JsonLimits, JsonShape } from '../../json-shape.ts';

/** Media types whose body is taken as the image itself; curl's `--data-binary` sends the form type. */
export const RAW_TYPES: readonly string[] = [
  'application/octet-stream',
  'application/x-www-form-urlencoded',
  'binary/octet-stream',
];

/** Where a body may be put, and how long it may take. */
export interface BodyMemory {
  /** Largest body, in bytes. */
  readonly maxBytes: number;
  readonly deadlines: BodyDeadlines;
  /** Waits for memory while a body arrives: `bytes` will be allocated, of a body of at most `most`. */
  reserve(bytes: number, most: number): Promise<void>;
  /** Waits for memory for what is made of a body of `bytes`, and for its turn: it has arrived. */
  arrived(bytes: number): Promise<void>;
  /** Ends a body that has not been read to its end, because of `error`. */
  giveUp(source: ByteSource, error: unknown): Promise<void>;
  /** Told of the memory that holds the body: its owner gives it back. */
  hold(buffer: ArrayBuffer): void;
  /** What was held is read, and given back; `bytes` are kept of it in another form. */
  settle(bytes: number): void;
}

/** Memory for a JSON body whose images are base64: 4/3 of their bytes. */
export function base64Memory(memory: BodyMemory): BodyMemory {
  return { ...memory, maxBytes: Math.ceil((memory.maxBytes * 4) / 3) + JSON_MEMBERS_BYTES };
}

/** What a JSON body may have beside its images. */
const JSON_MEMBERS_BYTES = 4096;

/** Looks at what has arrived of a body, in order; what it throws ends the reading. */
export type BodyWatch = (chunk: Uint8Array) => void;

/**
 * Reads a whole body, and stops at the first byte over the limit.
 * @param watch sees every byte as it arrives.
 * @throws RequestError `empty_body`, `body_too_large`; what `watch` throws.
 */
export async function readBody(
  request: Request,
  memory: BodyMemory,
  watch: BodyWatch | null = null,
): Promise<Uint8Array<ArrayBuffer>> {
  const { maxBytes } = memory;
  const declared = declaredLength(request);
  const encoding = contentEncodingOf(request.headers);
  if (declared !== null && declared > maxBytes) throw tooLarge(declared, maxBytes);
  if (request.body === null) throw new RequestError('empty_body', 'the request has no body');
  const timed = withDeadlines(openByteSource(request.body), memory.deadlines);
  try {
    const watched = watch === null || encoding !== null ? timed : watching(timed, watch);
    const most = declared ?? maxBytes;
    const reserve = (bytes: number): Promise<void> => memory.reserve(bytes, most);
    const { buffer, length } = await readGrowing(watched, { limit: maxBytes + 1, expected: declared, reserve });
    if (length > maxBytes) throw tooLarge(length, maxBytes);
    if (length === 0) throw new RequestError('empty_body', 'the request body is empty: 0 bytes');
    memory.hold(buffer);
    const body = new Uint8Array(buffer, 0, length);
    if (encoding === null) {
      await memory.arrived(length);
      return body;
    }
    await memory.arrived(length + inflatedLimit(length, maxBytes));
    const inflated = inflateBody(body, encoding, maxBytes);
    if (inflated.byteLength === 0) throw new RequestError('empty_body', 'the request body is empty: 0 bytes');
    watch?.(inflated);
    return inflated;
  } catch (error) {
    await memory.giveUp(timed, error);
    throw error;
  }
}

/** What is read at a time of a body that nobody wants any more. */
const DRAIN_BYTES = 64 * 1024;

/**
 * Ends a body. A client reads a refusal once it has sent its body, so the rest of it is let through; but not where it stalls.
 * @param maxBytes that are let through.
 */
export async function endBody(source: ByteSource, error: unknown, maxBytes: number): Promise<void> {
  try {
    if (error instanceof AppError && error.code !== 'body_timeout') {
      let memory = new ArrayBuffer(DRAIN_BYTES);
      for (let bytes = 0; bytes < maxBytes; ) {
        const { buffer, length } = await source.read(memory, 0);
        if (length === 0) return;
        bytes += length;
        memory = buffer;
      }
    }
  } catch {
    // What it was refused for is told, not that it stalled afterwards.
  }
  // Not awaited: a client that stalls may stall this too.
  source.cancel(error).catch(() => {});
}

function watching(source: ByteSource, watch: BodyWatch): Pick<ByteSource, 'read'> {
  return {
    async read(buffer, offset) {
      const filled = await source.read(buffer, offset);
      if (filled.length > 0) watch(new Uint8Array(filled.buffer, offset, filled.length));
      return filled;
    },
  };
}

function declaredLength(request: Request): number | null {
  const declared = Number(request.headers.get('content-length') ?? Number.NaN);
  return Number.isInteger(declared) && declared >= 0 ? declared : null;
}

/** How often a JSON body is in memory at once, with what is decoded from it. */
const COPIES_JSON = 3;

/** How often a request's body is in memory at once, with what is made of it. */
export function bodyCopies(request: Request): number {
  return isJson(mediaTypeOf(request)) ? COPIES_JSON : 1;
}

/** The media type of a request's body, lower case, without parameters; empty where none is given. */
export function mediaTypeOf(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/** True for `application/json` and for types with its suffix (RFC 6839): `application/vnd.api+json`. */
export function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || /^application\/[^+]+\+json$/.test(mediaType);
}

/**
 * Reads a body that is a JSON object, its shape checked as it arrives.
 * @throws RequestError as `readBody`; `invalid_body` where it is none or nests too deep; `body_too_large` where it holds too much.
 */
export async function readJsonObject(
  request: Request,
  memory: BodyMemory,
  limits: JsonLimits,
): Promise<Record<string, unknown>> {
  const shape = new JsonShape(limits);
  return parseJsonObject(await readBody(request, memory, (chunk) => shape.push(chunk)));
}

/** What a small body holds: an administrative request. */
export const SMALL_JSON: JsonLimits = { maxDepth: 8, maxValues: 256 };

/** @throws RequestError `invalid_body` where the bytes are no JSON object. Its shape must have been checked. */
export function parseJsonObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body));
  } catch (cause) {
    throw new RequestError('invalid_body', `the body is not JSON (${body.byteLength} bytes)`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RequestError('invalid_body', 'the JSON body must be an object');
  }
  return value as Record<string, unknown>;
}

/**
 * Bytes of a base64 string (RFC 4648 section 4, or URL-safe) or of a base64 `data:` URI (RFC 2397).
 * @throws RequestError `invalid_body` naming the member; `empty_body` where there are no bytes.
 */
export function decodeBase64(text: string, member: string): Uint8Array<ArrayBuffer> {
  let encoded = text.trim();
  if (/^data:/i.test(encoded)) {
    const comma = encoded.indexOf(',');
    if (comma < 0 || !/;base64$/i.test(encoded.slice(0, comma))) {
      throw new RequestError('invalid_body', `"${member}" is a data: URI without ";base64,"`);
    }
    encoded = encoded.slice(comma + 1);
  }
  if (encoded === '') throw new RequestError('empty_body', `"${member}" is empty: 0 bytes`);
  let binary: string;
  try {
    binary = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'));
  } catch (cause) {
    throw new RequestError('invalid_body', `"${member}" is not base64 (${encoded.length} characters)`, { cause });
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function tooLarge(bytes: number, maxBytes: number): RequestError {
  return new RequestError('body_too_large', `the body is at least ${bytes} bytes; limit ${maxBytes}`, {
    details: { bytes, limit_bytes: maxBytes },
  });
}
