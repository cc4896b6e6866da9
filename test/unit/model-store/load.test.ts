import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startPortableDigest } from '../../../model-store/digest.ts';
import { modelFileKey } from '../../../model-store/layout.ts';
import { type BlobCache, keepLarge, readVerified, readVerifiedPieces } from '../../../model-store/load.ts';
import type { FileReference, Manifest } from '../../../model-store/manifest.ts';
import { MemoryObjectStore } from '../../../model-store/memory-object-store.ts';
import { PIECE_BYTES } from '../../../model-store/piece-file.ts';

const BYTES = Uint8Array.from({ length: 2 * PIECE_BYTES + 12_345 }, (_, i) => (i * 13 + (i >> 9)) & 0xff);
const SHA256 = createHash('sha256').update(BYTES).digest('hex');
const FILE: FileReference = { path: 'weights.bin', bytes: BYTES.length, sha256: SHA256 };
const MANIFEST = { name: 'm', version: '1' } as Manifest;
const KEY = modelFileKey('m', '1', 'weights.bin');

async function storeWith(bytes: Uint8Array): Promise<MemoryObjectStore> {
  const store = new MemoryObjectStore();
  await store.put(KEY, bytes);
  return store;
}

/** A cache in memory, which counts what it is asked to keep. */
class FakeCache implements BlobCache {
  readonly blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  pending: Promise<void> = Promise.resolve();

  async get(sha256: string): Promise<ReadableStream<Uint8Array> | null> {
    const bytes = this.blobs.get(sha256);
    return bytes === undefined ? null : new Blob([bytes]).stream();
  }

  put(sha256: string, open: Parameters<BlobCache['put']>[1]): void {
    this.pending = (async () => {
      const body = await open();
      if (body !== null) this.blobs.set(sha256, new Uint8Array(await new Response(body).arrayBuffer()));
    })();
  }
}

const flipped = (): Uint8Array<ArrayBuffer> => BYTES.map((value, i) => (i === PIECE_BYTES + 5 ? value ^ 1 : value));

/** Both ways to read a file, as bytes. */
const READERS = {
  async readVerified(store: MemoryObjectStore, cache: BlobCache | null) {
    return readVerified(store, MANIFEST, FILE, cache);
  },
  async readVerifiedPieces(store: MemoryObjectStore, cache: BlobCache | null) {
    const { pieces } = await readVerifiedPieces(store, MANIFEST, FILE, cache, { startDigest: startPortableDigest });
    return pieces.subarray(0, BYTES.length);
  },
} as const;

describe.each(Object.entries(READERS))('%s', (_, read) => {
  it('gives the bytes of the bucket', async () => {
    expect(Buffer.compare(await read(await storeWith(BYTES), null), BYTES)).toBe(0);
  });

  it('refuses another hash, another length and a missing object, naming the key', async () => {
    await expect(read(await storeWith(flipped()), null)).rejects.toMatchObject({
      code: 'model_corrupt',
      details: { object: KEY, expected_sha256: SHA256 },
    });
    for (const length of [0, 1000, BYTES.length - 1, BYTES.length + 1]) {
      const bytes = new Uint8Array(length);
      await expect(read(await storeWith(bytes), null), `${length} bytes`).rejects.toMatchObject({
        code: 'model_corrupt',
        details: { object: KEY, bytes: length, expected_bytes: BYTES.length },
      });
    }
    await expect(read(new MemoryObjectStore(), null)).rejects.toMatchObject({ code: 'model_corrupt' });
  });

  it('takes it from the cache where the bucket has lost it', async () => {
    const cache = new FakeCache();
    cache.blobs.set(SHA256, BYTES.slice());
    expect(Buffer.compare(await read(new MemoryObjectStore(), cache), BYTES)).toBe(0);
  });

  it.each([
    ['altered', flipped()],
    ['cut short', BYTES.slice(0, PIECE_BYTES)],
    ['too long', new Uint8Array(BYTES.length + 1)],
  ])('goes to the bucket where the cached bytes are %s', async (_what, bytes) => {
    const cache = new FakeCache();
    cache.blobs.set(SHA256, bytes);
    expect(Buffer.compare(await read(await storeWith(BYTES), cache), BYTES)).toBe(0);
  });

  it('refuses a body that ends before the length that the bucket gave', async () => {
    const store = await storeWith(BYTES);
    const get = store.get.bind(store);
    store.get = async (key, range) => {
      const object = await get(key, range);
      return object && { ...object, body: new Blob([BYTES.slice(0, 1000)]).stream() };
    };
    await expect(read(store, null)).rejects.toMatchObject({ code: 'model_corrupt', details: { bytes: 1000 } });
  });
});

it('keeps a large file in the cache by reading it once more', async () => {
  const cache = new FakeCache();
  const store = await storeWith(BYTES);
  const { cached } = await readVerifiedPieces(store, MANIFEST, FILE, cache, { startDigest: startPortableDigest });
  expect(cached).toBe(false);
  keepLarge(store, MANIFEST, FILE, cache);
  await cache.pending;
  expect((await readVerifiedPieces(store, MANIFEST, FILE, cache, { startDigest: startPortableDigest })).cached).toBe(
    true,
  );
});

it('lets go of a stream that hangs once nobody waits any more', async () => {
  const store = await storeWith(BYTES);
  const get = store.get.bind(store);
  const cancelled = Promise.withResolvers<unknown>();
  store.get = async (key, range) => {
    const object = await get(key, range);
    const body = new ReadableStream<Uint8Array>({ type: 'bytes', cancel: cancelled.resolve });
    return object && { ...object, body };
  };
  const controller = new AbortController();
  const options = { startDigest: startPortableDigest, signal: controller.signal };
  const read = readVerifiedPieces(store, MANIFEST, FILE, null, options);
  const failed = expect(read).rejects.toMatchObject({ code: 'model_corrupt' });
  await new Promise((resolve) => setTimeout(resolve, 10));
  controller.abort('too long');
  expect(await cancelled.promise).toBe('too long');
  await failed;
});
