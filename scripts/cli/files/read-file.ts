/** Whole files in memory, of any size that fits: `readFile` refuses those over 2 GiB. */
import { type FileHandle, open } from 'node:fs/promises';

/** Bytes a read call; Linux reads at most 2 GiB at once. */
const CHUNK_BYTES = 1 << 28;

/** The bytes of a file. */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, 'r');
  try {
    const bytes = new Uint8Array((await file.stat()).size);
    await readInto(file, bytes, 0, path);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Fills `bytes` from `offset` of a file; an error where the file is shorter. */
export async function readInto(file: FileHandle, bytes: Uint8Array, offset: number, path: string): Promise<void> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, Math.min(CHUNK_BYTES, bytes.length - filled), offset + filled);
    if (bytesRead === 0)
      throw new RangeError(`${path}: ends at byte ${offset + filled}, wanted ${offset + bytes.length}`);
    filled += bytesRead;
  }
}
