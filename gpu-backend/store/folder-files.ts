/** A model store in a local folder. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileReference } from '../../model-store/manifest.ts';
import { type ModelFiles, verifyFile } from './model-files.ts';

/** Reads the store below `root`. Files are used in place. */
export function folderFiles(root: string): ModelFiles {
  return {
    async list(prefix) {
      try {
        return (await readdir(join(root, prefix))).sort();
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
    async readText(key) {
      try {
        return await readFile(join(root, key), 'utf8');
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    async materialize(prefix: string, files: readonly FileReference[]) {
      const folder = join(root, prefix);
      for (const file of files) await verifyFile(join(folder, file.path), prefix + file.path, file);
      return folder;
    },
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
