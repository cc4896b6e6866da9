/**
 * A folder as an object store: each object is a file, its key the path. For machines without a bucket, and for tests.
 * One writer at a time: the conditions of `put` hold against other processes only for `absent`.
 */
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type {
  ObjectBody,
  ObjectHead,
  ObjectPage,
  ObjectRange,
  ObjectStore,
  PutOptions,
} from '../../../model-store/object-store.ts';
import { ModelError } from '../../../worker/errors.ts';
import { sha256File, sha256OfBytes } from '../files/hash.ts';

/** Prefix of files that are being written. */
const TEMPORARY_PREFIX = '.tmp-';

/** Objects as files under a root. */
export class FolderObjectStore implements ObjectStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async get(key: string, range?: ObjectRange): Promise<ObjectBody | null> {
    const head = await this.head(key);
    if (head === null) return null;
    const start = range?.offset ?? 0;
    const end = range?.length === undefined ? head.size : Math.min(head.size, start + range.length);
    const empty = end <= start;
    const stream = empty ? Readable.from([]) : createReadStream(this.#path(key), { start, end: end - 1 });
    return {
      ...head,
      body: Readable.toWeb(stream) as NodeReadableStream<Uint8Array> as ReadableStream<Uint8Array>,
      bytes: async () =>
        new Uint8Array(
          await buffer(empty ? Readable.from([]) : createReadStream(this.#path(key), { start, end: end - 1 })),
        ),
    };
  }

  async head(key: string): Promise<ObjectHead | null> {
    const path = this.#path(key);
    try {
      const status = await stat(path);
      if (!status.isFile()) return null;
      const { size, mtimeMs } = status;
      const sha256 = await sha256File(path);
      return { key, size, etag: sha256, uploadedAt: mtimeMs, sha256 };
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<boolean> {
    const { sha256, onlyIf } = options;
    if (sha256 !== undefined && sha256OfBytes(bytes) !== sha256) {
      throw new ModelError('model_corrupt', `${key}: ${bytes.byteLength} bytes do not have SHA-256 ${sha256}`);
    }
    if (onlyIf !== undefined && 'etag' in onlyIf && (await this.head(key))?.etag !== onlyIf.etag) return false;
    const path = this.#path(key);
    await mkdir(dirname(path), { recursive: true });
    const temporary = join(dirname(path), `${TEMPORARY_PREFIX}${process.pid}-${performance.now()}`);
    try {
      await writeFile(temporary, bytes, { flag: 'wx' });
      const file = await open(temporary);
      await file.sync();
      await file.close();
      if (onlyIf === undefined || 'etag' in onlyIf) {
        await rename(temporary, path);
        return true;
      }
      await link(temporary, path);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async list(prefix: string): Promise<ObjectPage> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const objects: ObjectHead[] = [];
    for (const key of await this.#keys(folder)) {
      if (!key.startsWith(prefix)) continue;
      const head = await this.head(key);
      if (head !== null) objects.push(head);
    }
    return { objects, cursor: null };
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) await rm(this.#path(key), { force: true });
  }

  async #keys(folder: string): Promise<string[]> {
    try {
      const entries = await readdir(join(this.#root, folder), { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && !entry.name.startsWith(TEMPORARY_PREFIX))
        .map((entry) => relative(this.#root, join(entry.parentPath, entry.name)).split(sep).join('/'))
        .sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  #path(key: string): string {
    if (key.split('/').some((part) => part === '' || part === '.' || part === '..'))
      throw new RangeError(`bad key ${key}`);
    return join(this.#root, key);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
