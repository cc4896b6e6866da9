/**
 * Builds the default model's version from what lies in `model-store/models`: no images, no network, the same bytes every
 * time. `npm start` calls `buildDefaultModel`; `node scripts/cli/build-default-model.ts OUT` does it by hand.
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AssembledVersion, assembleVersion, encodeJson, variantFiles } from '../../model-store/build/assemble.ts';
import { readCheckpoint } from '../../model-store/build/checkpoint/read-checkpoint.ts';
import { SAFETENSORS_FILE } from '../../model-store/build/checkpoint/weight-files.ts';
import { buildGpuGraph } from '../../model-store/build/graph/build-gpu.ts';
import { buildInt8Graph } from '../../model-store/build/quantize/build-int8.ts';
import { parseCalibration } from '../../model-store/build/quantize/calibration.ts';
import { pixelGrid } from '../../model-store/build/quantize/pixel-grid.ts';
import { memoryDirectory } from '../../model-store/checkpoint-directory.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { ModelError } from '../../worker/errors.ts';
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';
import { readBytes } from './files/read-file.ts';
import { fixedImageSize } from './image-size.ts';

const MODELS_FOLDER = fileURLToPath(new URL('../../model-store/models/', import.meta.url));

/** What calibration left beside the checkpoint. */
const CALIBRATION_FILE = 'calibration.json';

/** What `model-store/models/default.json` says: which model is the default, where it lies, and since when. */
interface DefaultModel {
  readonly name: string;
  readonly directory: string;
  readonly created_at: string;
  /** float32 runs on every provider; a model this small gains nothing from float16. */
  readonly gpu_precision: 'float16' | 'float32';
  /** Peak of the WASM heap, as `scripts/cli/onnx/measure-variant.ts` measured it: building must not depend on the machine. */
  readonly wasm_heap_bytes: number;
}

/** A version on disk. */
export interface BuiltVersion {
  readonly name: string;
  readonly version: string;
  /** The folder that holds manifest.json and the files it names. */
  readonly directory: string;
}

/**
 * Builds the default model in memory.
 * @throws ModelError where the files of the default model are missing or broken.
 */
async function assembleDefaultModel(): Promise<AssembledVersion> {
  const model = await readDefaultModel();
  const { name, directory, created_at: createdAt, gpu_precision: precision, wasm_heap_bytes: wasmHeapBytes } = model;
  const folder = join(MODELS_FOLDER, directory);
  const weights = await readBytes(join(folder, SAFETENSORS_FILE));
  const files: Record<string, Uint8Array> = { [SAFETENSORS_FILE]: weights };
  for (const file of ['config.json', 'preprocessor_config.json', CALIBRATION_FILE])
    files[file] = await readBytes(join(folder, file));
  const { checkpoint, preprocessor, kind } = await readCheckpoint(memoryDirectory(files), null);
  const processor = parseProcessorConfig(preprocessor);
  const imageSize = fixedImageSize(processor);
  if (imageSize === null) {
    throw new ModelError('invalid_model_config', `${directory}/preprocessor_config.json: images have no fixed size`);
  }
  const calibration = parseCalibration(JSON.parse(new TextDecoder().decode(files[CALIBRATION_FILE])), CALIBRATION_FILE);
  const int8 = buildInt8Graph(checkpoint, calibration, {
    inputSize: imageSize,
    externalWeights: variantFiles('int8', 'int8').weights,
    pixelGrid: pixelGrid(processor),
  });
  const gpu = buildGpuGraph(checkpoint, {
    inputSize: imageSize,
    externalWeights: variantFiles('gpu', 'int8').weights,
    precision,
    normalization: processor,
  });
  return assembleVersion({
    name,
    version: null,
    createdAt,
    source: { kind, reference: directory, sha256: await sha256Hex(weights) },
    checkpoint,
    preprocessor,
    imageSize,
    variants: { int8: { graph: int8, wasmHeapBytes }, gpu: { graph: gpu, wasmHeapBytes: null } },
    defaultVariant: 'int8',
    report: null,
    attachments: new Map(),
  });
}

/**
 * Builds the default model and leaves it in `OUT/<name>/<version>/`, whole or not at all. The version is named after its
 * content, so that the same repository gives the same name.
 */
export async function buildDefaultModel(out: string): Promise<BuiltVersion> {
  const assembled = await assembleDefaultModel();
  const { name, version } = assembled.manifest;
  const directory = join(out, name, version);
  await writeVersion(assembled, directory);
  return { name, version, directory };
}

/** Writes a version into a folder beside the final one and renames that, so that a reader never sees half of it. */
export async function writeVersion({ manifest, files }: AssembledVersion, directory: string): Promise<void> {
  const temporary = `${directory}.${process.pid}.tmp`;
  await mkdir(dirname(directory), { recursive: true });
  await rm(temporary, { recursive: true, force: true });
  try {
    await mkdir(temporary);
    for (const [path, bytes] of files) await writeFile(join(temporary, path), bytes);
    await writeFile(join(temporary, 'manifest.json'), encodeJson(manifest));
    await rm(directory, { recursive: true, force: true });
    await rename(temporary, directory);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function readDefaultModel(): Promise<DefaultModel> {
  return JSON.parse(new TextDecoder().decode(await readBytes(join(MODELS_FOLDER, 'default.json')))) as DefaultModel;
}

if (import.meta.main) {
  const out = process.argv[2];
  if (out === undefined) {
    process.stderr.write('usage: node scripts/cli/build-default-model.ts OUT\n');
    process.exitCode = 2;
  } else {
    process.stdout.write(`${JSON.stringify(await buildDefaultModel(out))}\n`);
  }
}
