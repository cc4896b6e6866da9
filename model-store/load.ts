/**
 * Reads the files of a published version and verifies every byte of them against the manifest.
 * A missing, short or altered object is an error that names its key; so is a store that does not answer.
 */
import { AppError, ModelError } from '../worker/errors.ts';
import { modelFileKey } from './layout.ts';
import type { FileReference, Manifest } from './manifest.ts';
import type { ObjectStore } from './object-store.ts';
import { sha256Hex } from './sha256.ts';

/** Keeps bytes by their SHA-256, nearer than the store: a cache that may forget, and whose bytes are verified like any others. */
export interface BlobCache {
  get(sha256: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** May go on behind the response; must not fail. */
  put(sha256: string, bytes: Uint8Array<ArrayBuffer>): void;
}

/** Seconds after which a store that failed is worth another try. */
const RETRY_AFTER_SECONDS = 5;

/**
 * One file of a version: all of it, with the size and SHA-256 that the manifest gives; from `cache` where it is there.
 * @throws ModelError `model_unavailable` (missing, or the store fails), `model_corrupt` (size or hash differ).
 */
export async function readVerified(
  store: ObjectStore,
  manifest: Manifest,
  file: FileReference,
  cache: BlobCache | null = null,
): Promise<Uint8Array<ArrayBuffer>> {
  const cached = cache === null ? null : await cache.get(file.sha256);
  if (cached !== null && (await sha256Hex(cached)) === file.sha256) return cached;
  const key = modelFileKey(manifest.name, manifest.version, file.path);
  const bytes = await whileReading(key, () => readObject(store, key, file.bytes));
  const sha256 = await sha256Hex(bytes);
  if (sha256 === file.sha256) {
    cache?.put(sha256, bytes);
    return bytes;
  }
  throw new ModelError('model_corrupt', `${key} has SHA-256 ${sha256}; its manifest says ${file.sha256}`, {
    details: { object: key, sha256, expected_sha256: file.sha256 },
  });
}

/**
 * A small JSON file of a version, verified and parsed.
 * @throws ModelError as `readVerified`; `model_corrupt` where it is not JSON.
 */
export async function readVerifiedJson(
  store: ObjectStore,
  manifest: Manifest,
  file: FileReference,
  cache: BlobCache | null = null,
): Promise<unknown> {
  const bytes = await readVerified(store, manifest, file, cache);
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch (cause) {
    throw new ModelError('model_corrupt', `${file.path} of ${manifest.name}@${manifest.version} is not JSON`, {
      cause,
    });
  }
}

/**
 * Does something with the store; what fails in the store itself becomes `model_unavailable` naming `what`.
 * @throws AppError as `read` does; ModelError `model_unavailable`.
 */
export async function whileReading<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelError('model_unavailable', `${what} cannot be read from the bucket: ${reason}`, {
      cause,
      details: { object: what },
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
}

/** Reads an object of a known size into one buffer of that size. */
async function readObject(store: ObjectStore, key: string, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const object = await store.get(key);
  if (object === null) {
    throw new ModelError('model_unavailable', `${key} is missing from the bucket`, {
      details: { object: key },
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
  const bytes = new Uint8Array(size);
  let length = 0;
  for await (const chunk of object.body) {
    if (length + chunk.byteLength <= size) bytes.set(chunk, length);
    length += chunk.byteLength;
  }
  if (length === size) return bytes;
  throw new ModelError('model_corrupt', `${key} is ${length} bytes; its manifest says ${size}`, {
    details: { object: key, bytes: length, expected_bytes: size },
  });
}
