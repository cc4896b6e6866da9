/** What a version says about itself, without its graph: for those who let another machine run it. */
import { type BlobCache, readVerifiedJson, whileReading } from '../../model-store/load.ts';
import type { Manifest } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { readManifest } from '../../model-store/versions.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../preprocess/config.ts';
import { checkLabels } from './model-loader.ts';

/** A version's manifest, labels and preprocessing. */
export interface ModelDescription {
  readonly manifest: Manifest;
  readonly labels: readonly string[];
  readonly processor: ProcessorConfig;
}

/**
 * Reads a version's description, every file verified.
 * @throws ModelError `model_not_found`, `model_unavailable`, `model_corrupt`, `invalid_manifest`.
 */
export async function readModelDescription(
  store: ObjectStore,
  blobs: BlobCache | null,
  name: string,
  version: string,
): Promise<ModelDescription> {
  const manifest = await whileReading(`the manifest of ${name}@${version}`, () => readManifest(store, name, version));
  const [labels, processor] = await Promise.all([
    readVerifiedJson(store, manifest, manifest.labels, blobs),
    readVerifiedJson(store, manifest, manifest.preprocessor, blobs),
  ]);
  return { manifest, labels: checkLabels(labels, manifest), processor: parseProcessorConfig(processor) };
}
