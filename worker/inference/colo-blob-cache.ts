/**
 * A version's files in the colo's cache, by SHA-256: a new isolate in the same place need not go to the bucket.
 * Source: Cache API (https://developers.cloudflare.com/workers/runtime-apis/cache/); objects of 512 MB at most.
 */
import type { BlobCache } from '../../model-store/load.ts';
import type { HttpCache } from './result-cache.ts';

/** A host that no zone serves: keys of the Cache API must be URLs. */
const KEY_ORIGIN = 'https://blob.bit-edge.invalid';

/** Hashes never change what they name. */
const CACHE_CONTROL = 'public, max-age=31536000, immutable';

/** Keeps blobs in the colo's cache. A cache that fails is a cache that has nothing. */
export class ColoBlobCache implements BlobCache {
  readonly #cache: HttpCache;
  readonly #waitUntil: (promise: Promise<unknown>) => void;

  constructor(cache: HttpCache, waitUntil: (promise: Promise<unknown>) => void) {
    this.#cache = cache;
    this.#waitUntil = waitUntil;
  }

  async get(sha256: string): Promise<ReadableStream<Uint8Array> | null> {
    try {
      return (await this.#cache.match(keyOf(sha256)))?.body ?? null;
    } catch {
      return null;
    }
  }

  put(sha256: string, open: () => Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null>): void {
    this.#waitUntil(this.#keep(sha256, open).catch(() => {}));
  }

  async #keep(sha256: string, open: Parameters<BlobCache['put']>[1]): Promise<void> {
    const body = await open();
    if (body === null) return;
    const headers = { 'content-type': 'application/octet-stream', 'cache-control': CACHE_CONTROL };
    await this.#cache.put(keyOf(sha256), new Response(body, { headers }));
  }
}

function keyOf(sha256: string): Request {
  return new Request(`${KEY_ORIGIN}/${sha256}`);
}
