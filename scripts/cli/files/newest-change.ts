/** When code was last changed: what is built by it is built again then. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The newest modification of files and folders below the repository's root, in ms since 1970. */
export async function newestChange(sources: readonly string[]): Promise<number> {
  let newest = 0;
  for (const source of sources) {
    const path = join(ROOT, source);
    const stats = await stat(path);
    newest = Math.max(newest, stats.mtimeMs);
    if (!stats.isDirectory()) continue;
    for (const entry of await readdir(path, { recursive: true })) {
      newest = Math.max(newest, (await stat(join(path, entry))).mtimeMs);
    }
  }
  return newest;
}
