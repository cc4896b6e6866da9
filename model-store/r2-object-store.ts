/**
 * An R2 bucket's binding as an object store: in the worker, and in scripts through miniflare or wrangler. No `Env` here:
 * the bucket is passed in, as the few methods that are used.
 */
import { ModelError } from '../worker/errors.ts';
import type { ObjectBody, ObjectHead, ObjectPage, ObjectRange, ObjectStore, PutOptions } from './object-store.ts';
import { toHex } from './sha256.ts';

/** R2 deletes at most this many keys a call (https://developers.cloudflare.com/r2/api/workers/workers-api-reference/). */
const MAX_DELETED_KEYS = 1000;

interface R2HeadLike {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly uploaded: Date;
  readonly checksums: { readonly sha256?: ArrayBuffer };
}

interface R2BodyLike extends R2HeadLike {
  readonly body: ReadableStream;
  arrayBuffer(): Promise<ArrayBuffer>;
}

interface R2PutOptionsLike {
  sha256?: string;
  onlyIf?: { etagMatches?: string; etagDoesNotMatch?: string };
  httpMetadata?: { contentType: string };
}

/** The part of `R2Bucket` that is used; the binding in workerd and miniflare's stand-in both have it. */
export interface R2BucketLike {
  get(key: string, options: { range?: { offset: number; length?: number } }): Promise<R2BodyLike | null>;
  head(key: string): Promise<R2HeadLike | null>;
  put(key: string, value: ArrayBufferView, options: R2PutOptionsLike): Promise<R2HeadLike | null>;
  list(options: {
    prefix: string;
    cursor?: string;
  }): Promise<{ objects: R2HeadLike[]; truncated: boolean; cursor?: string }>;
  delete(keys: string[]): Promise<void>;
}

/** An object store on a bucket's binding. */
export class R2ObjectStore implements ObjectStore {
  readonly #bucket: R2BucketLike;

  constructor(bucket: R2BucketLike) {
    this.#bucket = bucket;
  }

  async get(key: string, range?: ObjectRange): Promise<ObjectBody | null> {
    const object = await this.#bucket.get(key, range === undefined ? {} : { range });
    if (object === null) return null;
    return {
      ...toHead(object),
      // A getter: miniflare's stand-in counts the body as used as soon as it is looked at.
      get body() {
        return object.body;
      },
      bytes: async () => new Uint8Array(await object.arrayBuffer()),
    };
  }

  async head(key: string): Promise<ObjectHead | null> {
    const object = await this.#bucket.head(key);
    return object === null ? null : toHead(object);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<boolean> {
    const { sha256, onlyIf, contentType } = options;
    const r2Options: R2PutOptionsLike = {};
    if (sha256 !== undefined) r2Options.sha256 = sha256;
    if (onlyIf !== undefined) {
      r2Options.onlyIf = 'etag' in onlyIf ? { etagMatches: onlyIf.etag } : { etagDoesNotMatch: '*' };
    }
    if (contentType !== undefined) r2Options.httpMetadata = { contentType };
    try {
      return (await this.#bucket.put(key, bytes, r2Options)) !== null;
    } catch (cause) {
      // R2 error 10037 BadDigest, which the binding gives as a message only.
      if (!(cause instanceof Error) || !/\b10037\b|checksum/i.test(cause.message)) throw cause;
      throw new ModelError('model_corrupt', `${key}: ${bytes.byteLength} bytes do not have SHA-256 ${sha256}`, {
        cause,
      });
    }
  }

  async list(prefix: string, cursor?: string): Promise<ObjectPage> {
    const page = await this.#bucket.list(cursor === undefined ? { prefix } : { prefix, cursor });
    return { objects: page.objects.map(toHead), cursor: page.truncated ? (page.cursor ?? null) : null };
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += MAX_DELETED_KEYS) {
      await this.#bucket.delete(keys.slice(start, start + MAX_DELETED_KEYS));
    }
  }
}

function toHead(object: R2HeadLike): ObjectHead {
  const { sha256 } = object.checksums;
  return {
    key: object.key,
    size: object.size,
    etag: object.etag,
    uploadedAt: object.uploaded.getTime(),
    sha256: sha256 === undefined ? null : toHex(new Uint8Array(sha256)),
  };
}
