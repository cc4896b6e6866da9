/** Whole files in memory, of any size that fits: `readFile` refuses those over 2 GiB. */
import { open } from 'node:fs/promises';

/** Bytes a read call; Linux reads at most 2 GiB at once. */
const CHUNK_BYTES = 1 << 28;

/** The bytes of a file, or of a range of it. */
export async function readBytes(path: string, offset = 0, length?: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, 'r');
  try {
    const bytes = new Uint8Array(length ?? (await file.stat()).size - offset);
    let filled = 0;
    while (filled < bytes.length) {
      const wanted = Math.min(CHUNK_BYTES, bytes.length - filled);
      const { bytesRead } = await file.read(bytes, filled, wanted, offset + filled);
      if (bytesRead === 0)
        throw new RangeError(`${path}: ends at byte ${offset + filled}, wanted ${offset + bytes.length}`);
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
