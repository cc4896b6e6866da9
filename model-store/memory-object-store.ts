/** An object store in memory: for tests, and for what need not last. The clock is passed in. */
import { ModelError } from '../worker/errors.ts';
import type { ObjectBody, ObjectHead, ObjectPage, ObjectRange, ObjectStore, PutOptions } from './object-store.ts';
import { sha256Hex } from './sha256.ts';

/** Keys a page, few enough that tests meet several pages. */
const PAGE_KEYS = 100;

interface Entry {
  readonly head: ObjectHead;
  readonly bytes: Uint8Array;
}

/** Objects in a map. */
export class MemoryObjectStore implements ObjectStore {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  #writes = 0;

  /** @param now time in ms, for `uploadedAt`. */
  constructor(now: () => number = () => 0) {
    this.#now = now;
  }

  async get(key: string, range?: ObjectRange): Promise<ObjectBody | null> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    const start = range?.offset ?? 0;
    const end = range?.length === undefined ? entry.bytes.byteLength : start + range.length;
    const bytes = entry.bytes.slice(start, end);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes);
        controller.close();
      },
    });
    return { ...entry.head, body, bytes: async () => bytes };
  }

  async head(key: string): Promise<ObjectHead | null> {
    return this.#entries.get(key)?.head ?? null;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<boolean> {
    const { sha256, onlyIf } = options;
    if (sha256 !== undefined && (await sha256Hex(bytes)) !== sha256) {
      throw new ModelError('model_corrupt', `${key}: ${bytes.byteLength} bytes do not have SHA-256 ${sha256}`);
    }
    const current = this.#entries.get(key);
    if (onlyIf !== undefined) {
      if ('etag' in onlyIf ? current?.head.etag !== onlyIf.etag : current !== undefined) return false;
    }
    this.#writes += 1;
    const head = { key, size: bytes.byteLength, etag: String(this.#writes), uploadedAt: this.#now() };
    this.#entries.set(key, { head: { ...head, sha256: sha256 ?? null }, bytes: bytes.slice() });
    return true;
  }

  async list(prefix: string, cursor = ''): Promise<ObjectPage> {
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix) && key > cursor).sort();
    const page = keys.slice(0, PAGE_KEYS);
    return {
      objects: page.map((key) => this.#entries.get(key)!.head),
      cursor: keys.length > PAGE_KEYS ? page.at(-1)! : null,
    };
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#entries.delete(key);
  }
}
