/**
 * Reads the files of a published version and verifies every byte of them against the manifest.
 * A missing, short or altered object is an error that names its key; so is a store that does not answer.
 */
import { AppError, ModelError } from '../worker/errors.ts';
import { discard, type Filled, fill, openByteSource } from './byte-source.ts';
import type { StartDigest } from './digest.ts';
import { modelFileKey } from './layout.ts';
import type { FileReference, Manifest } from './manifest.ts';
import type { ObjectBody, ObjectStore } from './object-store.ts';
import { PIECE_BYTES, PieceFile } from './piece-file.ts';
import { sha256Hex } from './sha256.ts';

/** Keeps bytes by their SHA-256, nearer than the store: a cache that may forget, and whose bytes are verified like any others. */
export interface BlobCache {
  /** Null where it has nothing, or fails. */
  get(sha256: string): Promise<ReadableStream<Uint8Array> | null>;
  /** Keeps what `open` gives, behind the response; null is not kept. Must not fail. */
  put(sha256: string, open: () => Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null>): void;
}

/** Seconds after which a store that failed is worth another try. */
const RETRY_AFTER_SECONDS = 5;

/**
 * One file of a version: all of it, with the size and SHA-256 that the manifest gives; from `cache` where it is there.
 * @throws ModelError `model_unavailable` (the store fails), `model_corrupt` (missing, or its size or hash differ).
 */
export async function readVerified(
  store: ObjectStore,
  manifest: Manifest,
  file: FileReference,
  cache: BlobCache | null = null,
): Promise<Uint8Array<ArrayBuffer>> {
  const cached = (await cache?.get(file.sha256)) ?? null;
  if (cached !== null) {
    const bytes = await readWhole(cached, file.bytes).catch(() => null);
    if (bytes?.byteLength === file.bytes && (await sha256Hex(bytes)) === file.sha256) return bytes;
  }
  const key = modelFileKey(manifest.name, manifest.version, file.path);
  const bytes = await whileReading(key, async () => readWhole((await openObject(store, key, file)).body, file.bytes));
  checkLength(key, bytes.byteLength, file);
  checkHash(key, await sha256Hex(bytes), file);
  cache?.put(file.sha256, async () => bytes);
  return bytes;
}

/** A large file that was read and verified. */
export interface VerifiedPieces {
  readonly pieces: PieceFile;
  /** False where the cache did not have it: `keepLarge` puts it there. */
  readonly cached: boolean;
}

/** How a large file is read. */
export interface PiecesOptions {
  readonly startDigest: StartDigest;
  /** Aborted where nobody waits any more: the stream is let go. */
  readonly signal?: AbortSignal;
}

/**
 * A large file of a version in pieces, verified as `readVerified` does; nothing of it is ever in memory twice.
 * @throws ModelError as `readVerified`.
 */
export async function readVerifiedPieces(
  store: ObjectStore,
  manifest: Manifest,
  file: FileReference,
  cache: BlobCache | null,
  options: PiecesOptions,
): Promise<VerifiedPieces> {
  const cached = (await cache?.get(file.sha256)) ?? null;
  if (cached !== null) {
    const read = await readPieces(cached, file.bytes, options).catch(() => null);
    if (read?.length === file.bytes && read.sha256 === file.sha256) return { pieces: read.pieces, cached: true };
    read?.pieces.release();
  }
  const key = modelFileKey(manifest.name, manifest.version, file.path);
  const { pieces, length, sha256 } = await whileReading(key, async () =>
    readPieces((await openObject(store, key, file)).body, file.bytes, options),
  );
  try {
    checkLength(key, length, file);
    checkHash(key, sha256, file);
  } catch (error) {
    pieces.release();
    throw error;
  }
  return { pieces, cached: false };
}

/** Takes the bytes of a file as they come. */
export interface FileSink {
  /** The next bytes; they may be overwritten afterwards. */
  write(bytes: Uint8Array): void;
  /** What was written was not the file: it begins again. */
  restart(): void;
}

/**
 * A large file of a version, handed on as it comes and verified as `readVerified` does: what was written is the file once this has
 * resolved.
 * @throws ModelError as `readVerified`.
 */
export async function passOnVerified(
  store: ObjectStore,
  manifest: Manifest,
  file: FileReference,
  cache: BlobCache | null,
  options: PiecesOptions,
  sink: FileSink,
): Promise<{ readonly cached: boolean }> {
  const cached = (await cache?.get(file.sha256)) ?? null;
  if (cached !== null) {
    const read = await passOn(cached, file.bytes, options, sink).catch(() => null);
    if (read?.length === file.bytes && read.sha256 === file.sha256) return { cached: true };
    sink.restart();
  }
  const key = modelFileKey(manifest.name, manifest.version, file.path);
  const { length, sha256 } = await whileReading(key, async () =>
    passOn((await openObject(store, key, file)).body, file.bytes, options, sink),
  );
  checkLength(key, length, file);
  checkHash(key, sha256, file);
  return { cached: false };
}

/** Copies a large file from the store into the cache behind the response, stream to stream. */
export function keepLarge(store: ObjectStore, manifest: Manifest, file: FileReference, cache: BlobCache): void {
  const key = modelFileKey(manifest.name, manifest.version, file.path);
  cache.put(file.sha256, async () => (await store.get(key))?.body ?? null);
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

/** @throws ModelError `model_corrupt` if it is missing (the manifest is written last) or has another size. */
async function openObject(store: ObjectStore, key: string, file: FileReference): Promise<ObjectBody> {
  const object = await store.get(key);
  if (object === null) {
    throw new ModelError('model_corrupt', `${key} is missing from the bucket`, { details: { object: key } });
  }
  if (object.size !== file.bytes) await object.body.cancel();
  checkLength(key, object.size, file);
  return object;
}

function checkLength(key: string, length: number, file: FileReference): void {
  if (length === file.bytes) return;
  throw new ModelError('model_corrupt', `${key} is ${length} bytes; its manifest says ${file.bytes}`, {
    details: { object: key, bytes: length, expected_bytes: file.bytes },
  });
}

function checkHash(key: string, sha256: string, file: FileReference): void {
  if (sha256 === file.sha256) return;
  throw new ModelError('model_corrupt', `${key} has SHA-256 ${sha256}; its manifest says ${file.sha256}`, {
    details: { object: key, sha256, expected_sha256: file.sha256 },
  });
}

/** At most `size` bytes of a stream, which is given up behind them. */
async function readWhole(stream: ReadableStream<Uint8Array>, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const source = openByteSource(stream);
  try {
    const { buffer, length } = await fill(source, new ArrayBuffer(size));
    return new Uint8Array(buffer, 0, length);
  } finally {
    await source.cancel('read');
  }
}

interface ReadPieces {
  readonly pieces: PieceFile;
  readonly length: number;
  readonly sha256: string;
}

/** The same in pieces, hashed on the way. */
async function readPieces(
  stream: ReadableStream<Uint8Array>,
  size: number,
  options: PiecesOptions,
): Promise<ReadPieces> {
  const pieces: ArrayBuffer[] = [];
  try {
    const read = await readParts(stream, size, options, {
      memory: (bytes) => new ArrayBuffer(bytes),
      take: ({ buffer }) => void pieces.push(buffer),
    });
    return { pieces: new PieceFile(pieces), ...read };
  } catch (error) {
    pieces.forEach(discard);
    throw error;
  }
}

/** The same without keeping any of it: one piece of memory is filled again and again. */
async function passOn(
  stream: ReadableStream<Uint8Array>,
  size: number,
  options: PiecesOptions,
  sink: FileSink,
): Promise<ReadParts> {
  let last = new ArrayBuffer(0);
  try {
    return await readParts(stream, size, options, {
      memory: (bytes) => (last.byteLength === bytes ? last : new ArrayBuffer(bytes)),
      take({ buffer, length }) {
        sink.write(new Uint8Array(buffer, 0, length));
        if (buffer !== last) discard(last);
        last = buffer;
      },
    });
  } finally {
    discard(last);
  }
}

interface ReadParts {
  readonly length: number;
  readonly sha256: string;
}

/** Where the parts of a file are read to, and who takes them. */
interface PartReader {
  memory(bytes: number): ArrayBuffer;
  take(part: Filled): void;
}

/** Reads a file part by part, each of `PIECE_BYTES` but the last, and hashes it. */
async function readParts(
  stream: ReadableStream<Uint8Array>,
  size: number,
  { startDigest, signal }: PiecesOptions,
  reader: PartReader,
): Promise<ReadParts> {
  const source = openByteSource(stream);
  const letGo = (): void => void source.cancel(signal?.reason).catch(() => {});
  if (signal?.aborted) letGo();
  signal?.addEventListener('abort', letGo, { once: true });
  const digest = startDigest();
  let length = 0;
  try {
    while (length < size) {
      const capacity = Math.min(PIECE_BYTES, size - length);
      const filled = await fill(source, reader.memory(capacity));
      reader.take(filled);
      length += filled.length;
      if (filled.length < capacity) break;
      await digest.update(new Uint8Array(filled.buffer));
    }
    return { length, sha256: await digest.hex() };
  } finally {
    signal?.removeEventListener('abort', letGo);
    await source.cancel('read');
  }
}
