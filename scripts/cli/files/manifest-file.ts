/** The manifest of a version's folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Manifest, parseManifest } from '../../../model-store/manifest.ts';
import { ModelError } from '../../../worker/errors.ts';

/**
 * The manifest of a version's folder.
 * @throws ModelError `invalid_manifest` where there is none, or it is wrong.
 */
export async function readManifestFile(folder: string): Promise<{ manifest: Manifest; text: string }> {
  const path = join(folder, 'manifest.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ModelError('invalid_manifest', `${path}: not readable; is this what import wrote?`, { cause });
  }
  return { manifest: parseManifest(text), text };
}
