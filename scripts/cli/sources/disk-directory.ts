/** A folder on disk as a checkpoint's directory. */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointDirectory, RandomAccessFile } from '../../../model-store/checkpoint-directory.ts';
import { readInto } from '../files/read-file.ts';

/** The files directly inside a folder. */
export function diskDirectory(root: string): CheckpointDirectory {
  return {
    list: async () => {
      const entries = await readdir(root, { withFileTypes: true });
      return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
    },
    open: async (name) => openFile(join(root, name), name),
  };
}

async function openFile(path: string, name: string): Promise<RandomAccessFile | null> {
  const status = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  if (status === null || !status.isFile()) return null;
  const file = await open(path, 'r');
  return {
    name,
    size: status.size,
    read: async (offset, length) => {
      const bytes = new Uint8Array(length);
      await readInto(file, bytes, offset, path);
      return bytes;
    },
    close: async () => file.close(),
  };
}
