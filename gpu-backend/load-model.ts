/** Brings one version from the store into the engine: manifest, verified files, session, warm-up. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestKey, modelFileKey } from '../model-store/layout.ts';
import { type Manifest, parseManifest, type Variant } from '../model-store/manifest.ts';
import { ModelError } from '../worker/errors.ts';
import { parseProcessorConfig } from '../worker/preprocess/config.ts';
import { resizedSize } from '../worker/preprocess/size.ts';
import type { Engine } from './engine.ts';
import type { LoadResult, Provider } from './engine-protocol.ts';
import { type ModelSignature, signatureOf } from './model-signature.ts';
import { sessionName } from './served-model.ts';
import type { ModelFiles } from './store/model-files.ts';

/** The size of a square picture that stands for any, where a model's input size is free. */
const NOMINAL_PICTURE_PX = 512;

/** How to load. */
export interface LoadOptions {
  readonly files: Pick<ModelFiles, 'materialize'>;
  readonly engine: Engine;
  readonly providers: readonly Provider[];
  readonly threads: number;
  /** Warm-up runs a batch of one and a batch of this. */
  readonly maxBatch: number;
}

/** A loaded version. */
export interface LoadedModel {
  readonly signature: ModelSignature;
  readonly loaded: LoadResult;
}

/**
 * The manifest of a version, or null where the version does not exist.
 * @throws ModelError `invalid_manifest`, naming the key.
 */
export async function readStoredManifest(
  files: Pick<ModelFiles, 'readText'>,
  name: string,
  version: string,
): Promise<Manifest | null> {
  const key = manifestKey(name, version);
  const text = await files.readText(key);
  if (text === null) return null;
  const manifest = parseManifest(text);
  if (manifest.name !== name || manifest.version !== version) {
    throw new ModelError('invalid_manifest', `${key}: is of ${manifest.name}/${manifest.version}`, {
      details: { key },
    });
  }
  return manifest;
}

/**
 * Loads and warms up a version.
 * @throws ModelError where the store's files are missing, corrupt or have no `gpu` variant; RuntimeError
 *   `inference_failed` where no provider runs it.
 */
export async function loadModel(manifest: Manifest, options: LoadOptions): Promise<LoadedModel> {
  const { files, engine, providers, threads, maxBatch } = options;
  const { name, version } = manifest;
  const variant = manifest.variants.gpu;
  if (variant === undefined) {
    throw new ModelError('model_unavailable', `${name}/${version} has no variant "gpu"`, {
      details: { model: name, version },
    });
  }
  const signature = signatureOf(variant);
  const prefix = modelFileKey(name, version, '');
  const references = [manifest.preprocessor, variant.model, ...(variant.weights === null ? [] : [variant.weights])];
  const folder = await files.materialize(prefix, references);
  const preprocessor = await readFile(join(folder, manifest.preprocessor.path), 'utf8');
  const freeSize = nominalSize(preprocessor);
  const loaded = await engine.load({
    kind: 'load',
    session: sessionName(name, version),
    path: join(folder, variant.model.path),
    providers,
    threads,
    inputs: variant.inputs.map((input, index) => {
      const { datatype } = signature.inputs[index]!;
      return { name: input.name, datatype, rowShape: rowShape(input.shape, freeSize) };
    }),
    outputs: signature.outputs.map((output) => output.name),
    warmBatches: maxBatch === 1 ? [1] : [1, maxBatch],
  });
  return { signature, loaded };
}

/** A concrete row shape: free dimensions take the size of a preprocessed picture, in the order height, width. */
function rowShape(shape: Variant['inputs'][number]['shape'], size: readonly [number, number]): number[] {
  const free = [...size];
  return shape.slice(1).map((dimension) => (typeof dimension === 'number' ? dimension : (free.shift() ?? 1)));
}

function nominalSize(preprocessor: string): readonly [number, number] {
  const config = parseProcessorConfig(JSON.parse(preprocessor));
  const picture = { height: NOMINAL_PICTURE_PX, width: NOMINAL_PICTURE_PX };
  const resized = config.resize === null ? picture : resizedSize(picture, config.resize.target);
  const { height, width } = config.centerCrop ?? resized;
  return [height, width];
}
