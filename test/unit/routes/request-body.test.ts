import { describe, expect, it } from 'vitest';
import { JobError, RequestError } from '../../../worker/errors.ts';
import { type BodyMemory, endBody, readBody } from '../../../worker/routes/support/request-body.ts';
import { testBodyMemory } from '../../support/body-memory.ts';

const LIMIT = 300_000;

const memory = (held?: ArrayBuffer[]): BodyMemory => testBodyMemory(LIMIT, held);

const bytesOf = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, i) => (i * 17) & 0xff);

/** A request whose body comes in chunks; `declared` is its Content-Length. */
function request(body: Uint8Array, declared: number | null, chunk = 40_000): Request {
  let at = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= body.length) return controller.close();
      controller.enqueue(body.slice(at, at + chunk));
      at += chunk;
    },
  });
  const headers: Record<string, string> = declared === null ? {} : { 'content-length': String(declared) };
  return new Request('http://x/', { method: 'POST', body: stream, headers, duplex: 'half' } as RequestInit);
}

describe('readBody', () => {
  it.each([1, 256, 65_535, 65_536, 65_537, 200_000, LIMIT])('reads %d bytes, declared or not', async (length) => {
    const bytes = bytesOf(length);
    for (const declared of [length, null]) {
      const held: ArrayBuffer[] = [];
      const body = await readBody(request(bytes, declared), memory(held));
      expect(Buffer.compare(body, bytes)).toBe(0);
      expect(held).toEqual([body.buffer]);
    }
  });

  it('puts a body of declared length into memory of exactly that length', async () => {
    const body = await readBody(request(bytesOf(100_000), 100_000), memory());
    expect(body.buffer.byteLength).toBe(100_000);
  });

  it.each([
    ['shorter', 50_000],
    ['longer', 250_000],
  ])('takes a body that is %s than it declared as it is', async (_, length) => {
    const bytes = bytesOf(length);
    expect(Buffer.compare(await readBody(request(bytes, 100_000), memory()), bytes)).toBe(0);
  });

  it('refuses one byte over the limit: by what is declared before reading, else as soon as it has come', async () => {
    const bytes = bytesOf(LIMIT + 1);
    const details = { bytes: LIMIT + 1, limit_bytes: LIMIT };
    const refused = { code: 'body_too_large', details };
    await expect(readBody(request(bytes, LIMIT + 1), memory())).rejects.toMatchObject(refused);
    await expect(readBody(request(bytes, null), memory())).rejects.toMatchObject(refused);
    await expect(readBody(request(bytes, 10), memory())).rejects.toMatchObject(refused);
  });

  it('refuses an empty body', async () => {
    await expect(readBody(request(new Uint8Array(0), 0), memory())).rejects.toMatchObject({ code: 'empty_body' });
    await expect(readBody(request(new Uint8Array(0), null), memory())).rejects.toMatchObject({ code: 'empty_body' });
  });
});

describe('endBody', () => {
  /** Reads that are answered, 1,000 bytes each, of a body of 10,000. */
  function body() {
    let left = 10_000;
    const state = { read: 0, cancelled: false };
    const source = {
      async read(buffer: ArrayBuffer) {
        const length = Math.min(left, 1000);
        left -= length;
        state.read += length;
        return { buffer, length };
      },
      async cancel() {
        state.cancelled = true;
      },
    };
    return { state, source };
  }

  it.each([
    ['a bad request', new RequestError('invalid_body', 'no'), 10_000],
    ['a key in use', new JobError('idempotency_in_progress', 'no'), 10_000],
    ['a client that stalls', new RequestError('body_timeout', 'no'), 0],
    ['a defect', new TypeError('no'), 0],
  ])('lets a body through that is refused for %s', async (_, error, read) => {
    const { state, source } = body();
    await endBody(source, error, 1_000_000);
    expect(state).toEqual({ read, cancelled: read === 0 });
  });

  it('lets no more through than a body may have', async () => {
    const { state, source } = body();
    await endBody(source, new RequestError('body_too_large', 'no'), 3000);
    expect(state).toEqual({ read: 3000, cancelled: true });
  });
});
