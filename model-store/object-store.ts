/**
 * What the model store asks of an object store. An interface only; adapters: `r2-object-store.ts` (a bucket's binding),
 * `memory-object-store.ts`, and a folder on disk under `scripts/cli/store/`.
 */

/** What is known of an object without reading it. */
export interface ObjectHead {
  readonly key: string;
  /** Size in bytes. */
  readonly size: number;
  /** Changes whenever the object does. */
  readonly etag: string;
  /** When it was written, in ms since 1970. */
  readonly uploadedAt: number;
  /** SHA-256 of the bytes in hex; null where the store was not told when it was written. */
  readonly sha256: string | null;
}

/** An object being read; its body can be read once. */
export interface ObjectBody extends ObjectHead {
  readonly body: ReadableStream<Uint8Array>;
  /** The whole body (or the range asked for) at once. */
  bytes(): Promise<Uint8Array>;
}

/** A range in bytes; without `length` it goes to the end. */
export interface ObjectRange {
  readonly offset: number;
  readonly length?: number;
}

/** How an object is written. */
export interface PutOptions {
  /** SHA-256 of the bytes in hex: the store verifies it, and keeps it for `head`. */
  readonly sha256?: string;
  /** Write only where there is no such object, or only over the one with this etag. */
  readonly onlyIf?: { readonly absent: true } | { readonly etag: string };
  readonly contentType?: string;
}

/** One page of a listing. */
export interface ObjectPage {
  readonly objects: readonly ObjectHead[];
  /** Where the next page begins; null on the last. */
  readonly cursor: string | null;
}

/** A flat store of objects: a write is seen whole or not at all. */
export interface ObjectStore {
  get(key: string, range?: ObjectRange): Promise<ObjectBody | null>;
  head(key: string): Promise<ObjectHead | null>;
  /**
   * @returns whether it was written: false where `onlyIf` did not hold.
   * @throws ModelError `model_corrupt` where the bytes do not have the SHA-256 given.
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<boolean>;
  /** Objects whose key begins with `prefix`, by key. */
  list(prefix: string, cursor?: string): Promise<ObjectPage>;
  /** Deletes what is there of the keys given. */
  delete(keys: readonly string[]): Promise<void>;
}

/** Every object under a prefix, page after page. */
export async function listAll(store: ObjectStore, prefix: string): Promise<ObjectHead[]> {
  const objects: ObjectHead[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page: ObjectPage = await store.list(prefix, cursor);
    objects.push(...page.objects);
    cursor = page.cursor;
  }
  return objects;
}

/** An object as text; null where it is not there. */
export async function getText(store: ObjectStore, key: string): Promise<{ text: string; head: ObjectHead } | null> {
  const object = await store.get(key);
  return object === null ? null : { text: new TextDecoder().decode(await object.bytes()), head: object };
}
