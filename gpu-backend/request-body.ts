/** Reads a request's body within a limit. */
import { RequestError } from '../worker/errors.ts';

/**
 * The most bytes that a request's body can take: what it announces, or the limit where it announces nothing.
 * @throws RequestError `body_too_large` where it announces more than the limit.
 */
export function announcedBytes(request: Request, limit: number): number {
  const announced = request.headers.get('content-length');
  if (announced === null) return limit;
  if (!(Number(announced) <= limit)) throw tooLarge(announced, limit);
  return Number(announced);
}

/**
 * The whole body.
 * @throws RequestError `body_too_large` beyond `limit` bytes, before reading where `Content-Length` says so already;
 *   `unsupported_media_type` for an encoded body; `empty_body`.
 */
export async function readRequestBody(request: Request, limit: number): Promise<Uint8Array> {
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    throw new RequestError('unsupported_media_type', `Content-Encoding "${encoding.slice(0, 40)}" is not accepted`);
  }
  if (request.headers.has('content-length')) {
    announcedBytes(request, limit);
    return notEmpty(new Uint8Array(await request.arrayBuffer()));
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (request.body !== null) {
    for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength;
      if (length > limit) throw tooLarge(`more than ${limit}`, limit);
      chunks.push(chunk);
    }
  }
  return notEmpty(new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer()));
}

function notEmpty(body: Uint8Array): Uint8Array {
  if (body.byteLength === 0) throw new RequestError('empty_body', 'the body is empty');
  return body;
}

function tooLarge(found: string, limit: number): RequestError {
  return new RequestError('body_too_large', `body of ${found} bytes; limit ${limit} (GPU_MAX_REQUEST_BYTES)`, {
    details: { limit },
  });
}
