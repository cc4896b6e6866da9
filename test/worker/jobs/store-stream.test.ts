import { env } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { openByteSource } from '../../../model-store/byte-source.ts';
import { type StoredStream, storeStream } from '../../../worker/jobs/store-stream.ts';

const MIB = 1024 * 1024;

/** Chunks of an odd size, so that parts do not end where chunks do. */
function stream(bytes: number, failAt = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent >= failAt) return controller.error(new Error('the client left'));
      const chunk = new Uint8Array(Math.min(777_777, bytes - sent));
      for (let at = 0; at < chunk.length; at++) chunk[at] = (sent + at) % 251;
      sent += chunk.length;
      if (chunk.length > 0) controller.enqueue(chunk);
      if (sent === bytes) controller.close();
    },
  });
}

const toStore = (body: ReadableStream<Uint8Array>): StoredStream => ({
  source: openByteSource(body),
  reserve: async () => {},
});

describe('a stream of unknown length', () => {
  for (const bytes of [1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 17 * MIB]) {
    it(`of ${bytes} bytes is stored whole`, async () => {
      expect(await storeStream(env.JOBS, 'test/stream', toStore(stream(bytes)), 20 * MIB)).toBe(bytes);
      const object = await env.JOBS.get('test/stream');
      const stored = new Uint8Array(await object!.arrayBuffer());
      expect(stored.length).toBe(bytes);
      expect(stored.findIndex((value, at) => value !== at % 251)).toBe(-1);
    });
  }

  it('that is empty, too long or breaks off leaves nothing', async () => {
    const store = (key: string, body: ReadableStream<Uint8Array>) =>
      storeStream(env.JOBS, key, toStore(body), 10 * MIB);
    await expect(store('test/empty', stream(0))).rejects.toMatchObject({ code: 'empty_body' });
    await expect(store('test/long', stream(10 * MIB + 1))).rejects.toMatchObject({ code: 'body_too_large' });
    await expect(store('test/broken', stream(20 * MIB, 9 * MIB))).rejects.toThrow('the client left');
    for (const key of ['test/empty', 'test/long', 'test/broken']) expect(await env.JOBS.head(key)).toBeNull();
  });
});
