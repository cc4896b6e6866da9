/** What the runtime benchmark serves: the default model and BiT with random weights, R50x1 at 224 and 448 px, R101x1 at 448. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AssembledVersion, assembleVersion, variantFiles } from '../../../model-store/build/assemble.ts';
import type { Checkpoint } from '../../../model-store/build/checkpoint/checkpoint.ts';
import { defaultPreprocessor, type PreprocessorJson } from '../../../model-store/build/checkpoint/preprocessor.ts';
import { readCheckpoint } from '../../../model-store/build/checkpoint/read-checkpoint.ts';
import { type BuiltGraph, buildBitGraph } from '../../../model-store/build/graph/build.ts';
import { buildInt8Graph } from '../../../model-store/build/quantize/build-int8.ts';
import { estimateCalibration } from '../../../model-store/build/quantize/estimate-calibration.ts';
import { pixelGrid } from '../../../model-store/build/quantize/pixel-grid.ts';
import { memoryDirectory } from '../../../model-store/checkpoint-directory.ts';
import type { ObjectStore } from '../../../model-store/object-store.ts';
import { publishVersion } from '../../../model-store/publish.ts';
import { float32Tensor, writeSafetensors } from '../../../model-store/safetensors.ts';
import { moveAlias } from '../../../model-store/versions.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { type PixelValues, preprocess } from '../../../worker/preprocess/preprocess.ts';
import { writeVersion } from '../../cli/build-default-model.ts';
import { calibrate } from '../../cli/calibrate.ts';
import { ensureDefaultModel } from '../../cli/default-model.ts';
import { readManifestFile } from '../../cli/files/manifest-file.ts';
import { readBytes } from '../../cli/files/read-file.ts';
import { fixedImageSize } from '../../cli/image-size.ts';
import { measureVariant } from '../../cli/onnx/measure-variant.ts';
import { withStore } from '../../cli/store/open-store.ts';
import { randomR50x1, randomR101x1 } from '../random-checkpoint.ts';
import { quantizeStatically } from './qdq-graph.ts';

/** Names that the benchmark's models are served under. */
export const MODELS = {
  defaultFp32: 'bench-default-fp32',
  r50Int8: 'bench-r50x1',
  r50Fp32: 'bench-r50x1-fp32',
  r50Qdq: 'bench-r50x1-qdq',
  r50Int8At448: 'bench-r50x1-448',
  r50Fp32At448: 'bench-r50x1-448-fp32',
  r101Int8At448: 'bench-r101x1-448',
} as const;

const CREATED_AT = '2026-01-01T00:00:00Z';
const VERSION = '1';

interface Network {
  readonly checkpoint: Checkpoint;
  readonly preprocessor: PreprocessorJson;
}

/** What was published. */
export interface BenchModels {
  /** Name of the default model, which is int8. */
  readonly defaultInt8: string;
  /** R50x1's int8 graph, its weights beside it; null where only the default model was wanted. */
  readonly r50Int8File: string | null;
  /** R50x1 by static quantization, as a file of its own; null likewise. */
  readonly r50QdqFile: string | null;
}

/** What to publish. */
export interface BenchModelOptions {
  /** Where the models are written. */
  readonly folder: string;
  /** State folder of the deployment, whose local bucket they are published into. */
  readonly statePath: string;
  /** An encoded image to calibrate R50x1 with. */
  readonly photo: Uint8Array;
  /** False: only the default model, as it is deployed. */
  readonly comparisons: boolean;
  /** Whether R101x1 is wanted too. */
  readonly r101: boolean;
  /** A graph of R50x1 by onnxruntime's static quantization, input `pixel_values`, output `logits`; null for one that is made here. */
  readonly qdqFile: string | null;
}

/**
 * Builds the models and publishes them. `folder` also gets `calibration.safetensors`: `pixel_values` of what R50x1 was
 * calibrated on, for another quantizer to have the same.
 */
export async function publishBenchModels(options: BenchModelOptions): Promise<BenchModels> {
  const built = await ensureDefaultModel();
  const comparisons = options.comparisons ? await buildComparisons(options) : null;
  const directories = [built.directory, ...(comparisons?.directories ?? [])];
  if (options.r101) directories.push(await buildR101(options));
  await withStore({ persistPath: join(options.statePath, 'v3') }, async ({ store }) => {
    for (const directory of directories) await publish(store, directory);
  });
  const { r50Int8File = null, r50QdqFile = null } = comparisons ?? {};
  return { defaultInt8: built.name, r50Int8File, r50QdqFile };
}

interface Comparisons {
  readonly directories: readonly string[];
  readonly r50Int8File: string;
  readonly r50QdqFile: string;
}

async function buildComparisons({ folder, photo, qdqFile }: BenchModelOptions): Promise<Comparisons> {
  const tiny = await readDefaultNetwork();
  const preprocessor = defaultPreprocessor('huggingface');
  const r50: Network = { checkpoint: randomR50x1(), preprocessor };
  const r50At448 = at448(r50.checkpoint);
  const pixelsAt448 = await preprocess(photo, parseProcessorConfig(r50At448.preprocessor));
  const pixels = await preprocess(photo, parseProcessorConfig(r50.preprocessor));
  await writeCalibration(folder, pixels);
  const int8 = await buildInt8(r50, pixels);
  const int8Directory = await write(folder, MODELS.r50Int8, r50, 'int8', int8);
  const fp32 = buildFp32(r50);
  const qdq =
    qdqFile === null
      ? await quantizeStatically(fp32, variantFiles('fp32', 'fp32').weights, pixels)
      : await readBytes(qdqFile);
  const outputs = int8.outputs.filter(({ name }) => name === 'logits');
  const qdqDirectory = await write(folder, MODELS.r50Qdq, r50, 'int8', { ...int8, outputs, model: qdq, weights: null });
  const directories = [
    await write(folder, MODELS.defaultFp32, tiny, 'fp32', buildFp32(tiny)),
    int8Directory,
    qdqDirectory,
    await write(folder, MODELS.r50Fp32, r50, 'fp32', fp32),
    await write(folder, MODELS.r50Int8At448, r50At448, 'int8', await buildInt8(r50At448, pixelsAt448)),
    await write(folder, MODELS.r50Fp32At448, r50At448, 'fp32', buildFp32(r50At448)),
  ];
  const file = variantFiles('int8', 'int8').model;
  return { directories, r50Int8File: join(int8Directory, file), r50QdqFile: join(qdqDirectory, file) };
}

/** R101x1 at 448 px: int8 alone, without pictures. */
async function buildR101({ folder }: BenchModelOptions): Promise<string> {
  const r101 = at448(randomR101x1());
  const processor = parseProcessorConfig(r101.preprocessor);
  const inputSize = fixedImageSize(processor)!;
  const calibration = estimateCalibration(r101.checkpoint, inputSize, processor);
  const externalWeights = variantFiles('int8', 'int8').weights;
  const options = { inputSize, externalWeights, pixelGrid: pixelGrid(processor) };
  return write(folder, MODELS.r101Int8At448, r101, 'int8', buildInt8Graph(r101.checkpoint, calibration, options));
}

function at448(checkpoint: Checkpoint): Network {
  const crop = { size: { shortest_edge: 448 }, crop_size: { height: 448, width: 448 } };
  return { checkpoint, preprocessor: { ...defaultPreprocessor('huggingface'), ...crop } };
}

async function writeCalibration(folder: string, { pixelValues, height, width }: PixelValues): Promise<void> {
  const tensors = new Map([['pixel_values', float32Tensor([1, 3, height, width], pixelValues)]]);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'calibration.safetensors'), writeSafetensors(tensors));
}

async function publish(store: ObjectStore, directory: string): Promise<void> {
  const { manifest, text } = await readManifestFile(directory);
  await publishVersion(store, { manifest: text, read: (path) => readFile(join(directory, path)) });
  await moveAlias(store, manifest.name, 'latest', manifest.version, CREATED_AT);
}

async function readDefaultNetwork(): Promise<Network> {
  const models = new URL('../../../model-store/models/', import.meta.url);
  const { directory } = JSON.parse(await readFile(new URL('default.json', models), 'utf8')) as { directory: string };
  const files: Record<string, Uint8Array> = {};
  for (const file of ['model.safetensors', 'config.json', 'preprocessor_config.json']) {
    files[file] = await readFile(new URL(`${directory}/${file}`, models));
  }
  return readCheckpoint(memoryDirectory(files), null);
}

async function buildInt8({ checkpoint, preprocessor }: Network, { pixelValues }: PixelValues): Promise<BuiltGraph> {
  const processor = parseProcessorConfig(preprocessor);
  const inputSize = fixedImageSize(processor)!;
  const calibration = await calibrate(checkpoint, inputSize, [pixelValues]);
  const externalWeights = variantFiles('int8', 'int8').weights;
  return buildInt8Graph(checkpoint, calibration, { inputSize, externalWeights, pixelGrid: pixelGrid(processor) });
}

function buildFp32({ checkpoint, preprocessor }: Network): BuiltGraph {
  const inputSize = fixedImageSize(parseProcessorConfig(preprocessor));
  return buildBitGraph(checkpoint, { inputSize, externalWeights: variantFiles('fp32', 'fp32').weights });
}

/** Writes a version's folder, with its heap measured as an import does. */
async function write(
  folder: string,
  name: string,
  { checkpoint, preprocessor }: Network,
  variant: 'int8' | 'fp32',
  graph: BuiltGraph,
): Promise<string> {
  const imageSize = fixedImageSize(parseProcessorConfig(preprocessor))!;
  const directory = join(folder, name, VERSION);
  const assemble = (wasmHeapBytes: number | null): Promise<AssembledVersion> =>
    assembleVersion({
      name,
      version: VERSION,
      createdAt: CREATED_AT,
      source: { kind: 'huggingface', reference: name, sha256: '0'.repeat(64) },
      checkpoint,
      preprocessor,
      imageSize,
      variants: { [variant]: { graph, wasmHeapBytes } },
      defaultVariant: variant,
      report: null,
      attachments: new Map(),
    });
  await writeVersion(await assemble(null), directory);
  const measured = await measureVariant(directory, variant, imageSize);
  await writeVersion(await assemble(measured.wasm_heap_bytes), directory);
  return directory;
}
