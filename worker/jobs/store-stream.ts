/** A stream of unknown length into R2: one put where it is short, parts where it is long. */
import { type ByteSource, discard } from '../../model-store/byte-source.ts';
import { readGrowing } from '../body/growing-read.ts';
import { RequestError } from '../errors.ts';

/** Size of a part; R2 wants 5 MiB at least, all but the last of one size. */
const PART_BYTES = 8 * 1024 * 1024;

/** Looks at what is stored, in order; what it throws ends the storing. */
export type StreamWatch = (chunk: Uint8Array<ArrayBuffer>) => Promise<void>;

/** A stream to store. */
export interface StoredStream {
  readonly source: ByteSource;
  /** Waits for memory: `bytes` will be held at a time, at most a part. */
  reserve(bytes: number): Promise<void>;
}

/**
 * Stores a stream under `key`; nothing is stored where it fails or is too long.
 * @param watch sees every chunk before it is stored.
 * @returns bytes.
 * @throws RequestError `body_too_large`, `empty_body`; what the stream, `reserve` and `watch` throw.
 */
export async function storeStream(
  bucket: R2Bucket,
  key: string,
  { source, reserve }: StoredStream,
  maxBytes: number,
  watch: StreamWatch | null = null,
): Promise<number> {
  let total = 0;
  let upload: R2MultipartUpload | null = null;
  const parts: R2UploadedPart[] = [];
  const watched: Pick<ByteSource, 'read'> = {
    async read(buffer, offset) {
      const filled = await source.read(buffer, offset);
      total += filled.length;
      if (total > maxBytes) {
        throw new RequestError('body_too_large', `the manifest is over ${maxBytes} bytes`, {
          details: { limit_bytes: maxBytes },
        });
      }
      if (filled.length > 0) await watch?.(new Uint8Array(filled.buffer, offset, filled.length));
      return filled;
    },
  };
  try {
    for (;;) {
      const { buffer, length } = await readGrowing(watched, { limit: PART_BYTES, expected: PART_BYTES, reserve });
      const part = new Uint8Array(buffer, 0, length);
      const isLast = length < PART_BYTES;
      if (total === 0) throw new RequestError('empty_body', 'the manifest is empty: 0 bytes');
      if (isLast && upload === null) {
        await bucket.put(key, part);
      } else if (length > 0) {
        upload ??= await bucket.createMultipartUpload(key);
        parts.push(await upload.uploadPart(parts.length + 1, part));
      }
      discard(buffer);
      if (isLast) break;
    }
    if (upload !== null) await upload.complete(parts);
    return total;
  } catch (error) {
    // Not awaited: a client that stalls may stall this too.
    source.cancel(error).catch(() => {});
    if (upload !== null) await upload.abort();
    throw error;
  }
}
