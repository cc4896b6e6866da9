/** Request bodies: read with a limit while they stream. */
import { RequestError } from '../errors.ts';

/** Media types whose body is taken as the image itself; curl's `--data-binary` sends the form type. */
export const RAW_TYPES: readonly string[] = [
  'application/octet-stream',
  'application/x-www-form-urlencoded',
  'binary/octet-stream',
];

/**
 * Reads a whole body, and stops at the first byte over the limit.
 * @throws RequestError `empty_body`, `body_too_large`.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(request.headers.get('content-length') ?? Number.NaN);
  if (declared > maxBytes) throw tooLarge(declared, maxBytes);
  if (request.body === null) throw new RequestError('empty_body', 'the request has no body');
  // With a declared length the body goes straight where it belongs; without one it is collected first.
  const declaredBody = Number.isInteger(declared) && declared > 0 ? new Uint8Array(declared) : null;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    const end = length + chunk.byteLength;
    if (end > maxBytes) throw tooLarge(end, maxBytes);
    if (declaredBody !== null && end <= declaredBody.byteLength) declaredBody.set(chunk, length);
    else chunks.push(chunk);
    length = end;
  }
  if (length === 0) throw new RequestError('empty_body', 'the request body is empty: 0 bytes');
  if (declaredBody !== null && chunks.length === 0) return declaredBody.subarray(0, length);
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of declaredBody === null ? chunks : [declaredBody, ...chunks]) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

/** How often a body of each shape is in memory at once, with what is decoded from it. */
const COPIES_UNDECLARED = 2;
const COPIES_FORM = 2;
const COPIES_JSON = 3;

/**
 * Bytes to lease before a body is read: what the client declares, or the most that is accepted, times the copies its shape takes.
 * @param maxBytes of the body.
 */
export function bodyLeaseBytes(request: Request, maxBytes: number): number {
  const declared = Number(request.headers.get('content-length') ?? Number.NaN);
  const bytes = Number.isInteger(declared) && declared >= 0 ? Math.min(declared, maxBytes) : maxBytes;
  const mediaType = mediaTypeOf(request);
  if (mediaType === 'multipart/form-data') return COPIES_FORM * bytes;
  if (mediaType === 'application/json') return COPIES_JSON * bytes;
  return Number.isInteger(declared) ? bytes : COPIES_UNDECLARED * bytes;
}

/** The media type of a request's body, lower case, without parameters; empty where none is given. */
export function mediaTypeOf(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/** @throws RequestError `invalid_body` where the bytes are no JSON object. */
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
