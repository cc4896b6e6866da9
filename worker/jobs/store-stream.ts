/** A stream of unknown length into R2: one put where it is short, parts where it is long. */
import { RequestError } from '../errors.ts';

/** Size of a part; R2 wants 5 MiB at least, all but the last of one size. */
const PART_BYTES = 8 * 1024 * 1024;

/** Looks at what is stored, in order; what it throws ends the storing. */
export type StreamWatch = (chunk: Uint8Array<ArrayBuffer>) => Promise<void>;

/**
 * Stores a stream under `key`; nothing is stored where it fails or is too long.
 * @param watch sees every chunk before it is stored.
 * @returns bytes.
 * @throws RequestError `body_too_large`, `empty_body`; what the stream throws.
 */
export async function storeStream(
  bucket: R2Bucket,
  key: string,
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  watch: StreamWatch | null = null,
): Promise<number> {
  let part = new Uint8Array(PART_BYTES);
  let filled = 0;
  let total = 0;
  let upload: R2MultipartUpload | null = null;
  const parts: R2UploadedPart[] = [];
  const flush = async (): Promise<void> => {
    upload ??= await bucket.createMultipartUpload(key);
    parts.push(await upload.uploadPart(parts.length + 1, part.subarray(0, filled)));
    part = new Uint8Array(PART_BYTES);
    filled = 0;
  };
  try {
    for await (const chunk of body) {
      total += chunk.byteLength;
      if (total > maxBytes) {
        throw new RequestError('body_too_large', `the manifest is over ${maxBytes} bytes`, {
          details: { limit_bytes: maxBytes },
        });
      }
      await watch?.(chunk as Uint8Array<ArrayBuffer>);
      for (let at = 0; at < chunk.byteLength; ) {
        const length = Math.min(chunk.byteLength - at, PART_BYTES - filled);
        part.set(chunk.subarray(at, at + length), filled);
        filled += length;
        at += length;
        if (filled === PART_BYTES) await flush();
      }
    }
    if (total === 0) throw new RequestError('empty_body', 'the manifest is empty: 0 bytes');
    if (upload === null) await bucket.put(key, part.subarray(0, filled));
    else {
      if (filled > 0) await flush();
      await (upload as R2MultipartUpload).complete(parts);
    }
    return total;
  } catch (error) {
    if (upload !== null) await (upload as R2MultipartUpload).abort();
    throw error;
  }
}
