/** A fingerprint of what `wrangler deploy` would upload. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WranglerConfig } from './wrangler-config.ts';
import type { Wrangler } from './wrangler-run.ts';

/** SHA-256 over the bundle, the static assets and the configuration. */
export async function buildHash(
  wrangler: Pick<Wrangler, 'bundle'>,
  config: WranglerConfig,
  configPath: string,
  environment: string | null,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bit-edge-bundle-'));
  try {
    await wrangler.bundle(configPath, environment, folder);
    const hash = createHash('sha256').update(JSON.stringify(config));
    const assets = config.assets?.directory;
    for (const root of [folder, ...(assets === undefined ? [] : [assets])]) {
      for (const name of (await readdir(root, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile() && !entry.name.endsWith('.map') && entry.name !== 'README.md')
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()) {
        hash.update(name.slice(root.length)).update(await readFile(name));
      }
    }
    return hash.digest('hex');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
