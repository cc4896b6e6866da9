/**
 * Peak memory of preprocessing a 12 MP JPEG, measured in a process of its own.
 *
 * The young generation is made so large that nothing is collected while the picture is decoded: what the heap and the
 * array buffers have grown by at the end is then everything that was ever allocated, an upper bound of the peak.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { encodePhoto, makePhoto } from './photo.ts';

/** Processes that are started; the engine's own share differs from one to the next, so the largest figure counts. */
const RUNS = 3;

/** Peak in MiB above the input, of the 12 MP photo in this encoding. */
export async function measurePeakMib(format: 'jpeg' | 'jpeg-progressive'): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'bit-edge-bench-'));
  try {
    const path = join(folder, 'photo.jpg');
    await writeFile(path, await encodePhoto(await makePhoto(4032, 3024), format));
    const probe = fileURLToPath(new URL('./peak-memory-probe.ts', import.meta.url));
    const flags = ['--expose-gc', '--max-semi-space-size=512', '--min-semi-space-size=512'];
    let peakBytes = 0;
    for (let i = 0; i < RUNS; i++) {
      const { stdout } = await promisify(execFile)(process.execPath, [...flags, probe, path]);
      peakBytes = Math.max(peakBytes, Number(stdout));
    }
    return peakBytes / 2 ** 20;
  } finally {
    await rm(folder, { recursive: true });
  }
}
