/** The default model into a local bucket: built when it is not there, published when the bucket lacks it. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publishVersion } from '../../model-store/publish.ts';
import { moveAlias, resolveAlias } from '../../model-store/versions.ts';
import { readEngineChoice } from '../../worker/config.ts';
import { RequestError } from '../../worker/errors.ts';
import { DEFAULT_MEMORY_BUDGET_BYTES, modelRoomBytes } from '../../worker/inference/memory-plan.ts';
import { prepareFittingVersion } from '../../worker/inference/prepare-variant.ts';
import { ensureDefaultModel } from '../cli/default-model.ts';
import { readManifestFile } from '../cli/files/manifest-file.ts';
import { readBytes } from '../cli/files/read-file.ts';
import { withStore } from '../cli/store/open-store.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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
  return seedVersion(statePath, directory, false);
}

/**
 * Puts a version's folder into the local bucket of `statePath`.
 * @param movesAlias true: `latest` is this version from now on; false: only if it was not there before.
 * @throws ModelError `model_too_large` if an isolate with the default budget cannot serve it.
 */
export async function seedVersion(statePath: string, directory: string, movesAlias: boolean): Promise<Seeded> {
  const { manifest, text } = await readManifestFile(directory);
  const { name, version } = manifest;
  const { model } = manifest.variants[manifest.default_variant]!;
  const choice = readEngineChoice(process.env);
  const roomBytes = modelRoomBytes(DEFAULT_MEMORY_BUDGET_BYTES);
  await prepareFittingVersion(manifest, choice, roomBytes, () => readBytes(join(directory, model.path)));
  return withStore({ persistPath: join(statePath, 'v3') }, async ({ store }) => {
    const source = { manifest: text, read: (path: string) => readBytes(join(directory, path)) };
    const { alreadyPublished } = await publishVersion(store, source).catch(acceptSameContent);
    const alias = await resolveAlias(store, name, ALIAS);
    if (alias === null || !alreadyPublished || (movesAlias && alias.version !== version)) {
      await moveAlias(store, name, ALIAS, version, new Date().toISOString());
    }
    return { name, version, published: !alreadyPublished };
  });
}

/** A version is named after its content: where it was imported twice, only dates and measurements differ. */
function acceptSameContent(error: unknown): { readonly alreadyPublished: true } {
  if (error instanceof RequestError && error.code === 'conflict') return { alreadyPublished: true };
  throw error;
}
