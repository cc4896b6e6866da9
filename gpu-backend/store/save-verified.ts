/** A download into a file that is there whole and verified, or not at all. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FileReference } from '../../model-store/manifest.ts';
import { ModelError } from '../../worker/errors.ts';
import { checkHash } from './model-files.ts';

/**
 * Saves a response's body.
 * @throws ModelError `model_corrupt` where size or SHA-256 are not the manifest's; what reading throws.
 */
export async function saveVerified(
  response: Response,
  key: string,
  file: FileReference,
  target: string,
): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      // A file longer than announced is cut off here, so that it cannot fill the disk.
      done(
        bytes > file.bytes
          ? new ModelError('model_corrupt', `${key}: longer than the manifest's ${file.bytes} bytes`)
          : null,
        chunk,
      );
    },
  });
  const temporary = `${target}.${randomUUID()}.part`;
  try {
    await pipeline(
      Readable.fromWeb(response.body as import('node:stream/web').ReadableStream),
      count,
      createWriteStream(temporary),
    );
    checkHash(key, file, bytes, hash.digest('hex'));
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}
