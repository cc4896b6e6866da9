/** What the backend needs of a model store, whatever it lies on. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileReference } from '../../model-store/manifest.ts';
import { ModelError } from '../../worker/errors.ts';

/** A place that holds models in the layout of `model-store/layout.ts`. */
export interface ModelFiles {
  /** The names directly below a prefix that ends in a slash: folders and files alike, without slashes. */
  list(prefix: string): Promise<string[]>;
  /** The text of a small object, or null where there is none. */
  readText(key: string): Promise<string | null>;
  /**
   * Makes files of one version available in one local folder, each verified against its SHA-256.
   * @param prefix the version's prefix, ending in a slash.
   * @returns the folder.
   * @throws ModelError `model_unavailable` for a missing file, `model_corrupt` for one whose size or hash is wrong.
   */
  materialize(prefix: string, files: readonly FileReference[]): Promise<string>;
}

/**
 * Checks a local file's size and SHA-256.
 * @throws ModelError `model_unavailable` or `model_corrupt`, naming the key.
 */
export async function verifyFile(path: string, key: string, file: FileReference): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
  } catch (cause) {
    throw new ModelError('model_unavailable', `${key}: cannot be read`, { cause, details: { key } });
  }
  checkHash(key, file, bytes, hash.digest('hex'));
}

/** @throws ModelError `model_corrupt` where size or hash are not the manifest's. */
export function checkHash(key: string, file: FileReference, bytes: number, sha256: string): void {
  if (bytes === file.bytes && sha256 === file.sha256) return;
  throw new ModelError(
    'model_corrupt',
    `${key}: ${bytes} bytes with SHA-256 ${sha256.slice(0, 12)}...; the manifest says ${file.bytes} and ${file.sha256.slice(0, 12)}...`,
    { details: { key, bytes, expected: file.bytes } },
  );
}
