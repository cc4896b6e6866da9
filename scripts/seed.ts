/** The default model into a local bucket: built when it is not there, published when the bucket lacks it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseManifest } from '../model-store/manifest.ts';
import { publishVersion } from '../model-store/publish.ts';
import { moveAlias, resolveAlias } from '../model-store/versions.ts';
import { ensureDefaultModel } from './default-model.ts';
import { withStore } from './store/open-store.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Where `npm start` keeps its data: the folder that `wrangler dev` uses by itself. */
export const DEFAULT_STATE_PATH = join(ROOT, '.wrangler/state');

/** The alias that answers where a request names no version. */
const ALIAS = 'latest';

/** What seeding did. */
export interface Seeded {
  readonly name: string;
  readonly version: string;
  /** False where the bucket had it. */
  readonly published: boolean;
}

/**
 * Puts the default model into the local bucket of `statePath`. An alias that someone has moved stays where it is.
 * @throws AppError where the model's files are missing or broken.
 */
export async function seedDefaultModel(statePath: string): Promise<Seeded> {
  const { directory } = await ensureDefaultModel();
  const text = await readFile(join(directory, 'manifest.json'), 'utf8');
  const { name, version } = parseManifest(text);
  return withStore({ persistPath: join(statePath, 'v3') }, async ({ store }) => {
    const { alreadyPublished } = await publishVersion(store, {
      manifest: text,
      read: (path) => readFile(join(directory, path)),
    });
    const alias = await resolveAlias(store, name, ALIAS);
    if (alias === null || !alreadyPublished) await moveAlias(store, name, ALIAS, version, new Date().toISOString());
    return { name, version, published: !alreadyPublished };
  });
}
