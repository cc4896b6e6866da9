/**
 * The picture of the README and of the demo: a lemon on a dark table, lit from the left. `node scripts/demo/lemon.ts` writes it to
 * examples/lemon.png.
 */
import { writeFile } from 'node:fs/promises';
import { encodePng } from '../cli/files/write-png.ts';

/** Where the repository keeps it. */
export const LEMON_FILE = new URL('../../examples/lemon.png', import.meta.url);

/** Draws it, as a PNG of 128 x 128 px. */
export function drawLemon(): Uint8Array {
  const size = 128;
  const data = new Uint8Array(size * size * 3).fill(60);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const dx = (x - 64) / 52;
      const dy = (y - 64) / 36;
      if (dx * dx + dy * dy > 1) continue;
      const light = 0.6 + 0.5 * Math.max(0, 1 - ((dx + 0.4) ** 2 + (dy + 0.4) ** 2));
      data.set([Math.min(255, 250 * light), Math.min(255, 225 * light), 60 * light], (y * size + x) * 3);
    }
  }
  return encodePng({ width: size, height: size, data });
}

if (import.meta.main) await writeFile(LEMON_FILE, drawLemon());
