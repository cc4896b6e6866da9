/** What a policy's model knows: its labels and the length of its embedding, from the store or from a folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readVerifiedJson } from '../../../model-store/load.ts';
import { type Manifest, parseManifest } from '../../../model-store/manifest.ts';
import type { ObjectStore } from '../../../model-store/object-store.ts';
import { readManifest, resolveVersion } from '../../../model-store/versions.ts';
import { ModelError } from '../../../worker/errors.ts';
import type { ModelVocabulary } from '../../../worker/moderation/policy/validate.ts';
import { ensureDefaultModel } from '../default-model.ts';

/** The output whose length is the embedding's. */
const EMBEDDING_OUTPUT = 'pooler_output';

/** A model version and what it knows. */
export interface Vocabulary extends ModelVocabulary {
  /** `name@version`. */
  readonly model: string;
  readonly version: { readonly name: string; readonly version: string };
}

/**
 * The vocabulary of a published version; of the default model also where the store does not have it yet.
 * @throws ModelError `model_not_found`.
 */
export async function readVocabulary(store: ObjectStore, name: string, reference: string): Promise<Vocabulary> {
  try {
    const manifest = await readManifest(store, name, await resolveVersion(store, name, reference));
    return toVocabulary(manifest, await readVerifiedJson(store, manifest, manifest.labels));
  } catch (error) {
    if (!(error instanceof ModelError) || error.code !== 'model_not_found') throw error;
    const built = await ensureDefaultModel();
    if (built.name !== name) throw error;
    return readFolderVocabulary(built.directory);
  }
}

/** The vocabulary of a version's folder, as `bit-edge import` leaves it. */
export async function readFolderVocabulary(folder: string): Promise<Vocabulary> {
  const manifest = parseManifest(await readFile(join(folder, 'manifest.json'), 'utf8'));
  return toVocabulary(manifest, JSON.parse(await readFile(join(folder, manifest.labels.path), 'utf8')));
}

function toVocabulary(manifest: Manifest, labels: unknown): Vocabulary {
  if (!Array.isArray(labels)) throw new ModelError('model_corrupt', `${manifest.labels.path} is not an array`);
  const variant = manifest.variants[manifest.default_variant];
  const shape = variant?.outputs.find(({ name }) => name === EMBEDDING_OUTPUT)?.shape ?? [];
  const length = shape
    .filter((dimension) => typeof dimension === 'number')
    .reduce((product, each) => product * each, 1);
  return {
    model: `${manifest.name}@${manifest.version}`,
    version: { name: manifest.name, version: manifest.version },
    labels: labels.map(String),
    embeddingLength: shape.length === 0 ? 0 : length,
  };
}
