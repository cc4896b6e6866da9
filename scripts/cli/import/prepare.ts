/** Everything an import reads, opened and checked before anything is computed or written. */
import { readFile } from 'node:fs/promises';
import type { Checkpoint } from '../../../model-store/build/checkpoint/checkpoint.ts';
import {
  type FoundPreprocessor,
  huggingFacePreprocessor,
  type PreprocessorJson,
} from '../../../model-store/build/checkpoint/preprocessor.ts';
import { assumptionWarnings, type Origin } from '../../../model-store/build/checkpoint/provenance.ts';
import { checkOutputs } from '../../../model-store/build/graph/build.ts';
import { outputNames } from '../../../model-store/build/graph/network.ts';
import type { SpatialSize } from '../../../model-store/build/graph/padding.ts';
import { checkName } from '../../../model-store/layout.ts';
import type { Manifest, VariantName } from '../../../model-store/manifest.ts';
import { ModelError } from '../../../worker/errors.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { fixedImageSize } from '../image-size.ts';
import { type OpenedSource, openSource } from '../sources/open-source.ts';
import { type ImagenetNames, imagenetNames } from './imagenet-names.ts';
import { type ImageFolder, listImages, sampleImages } from './images.ts';
import { type LabelsFile, parseLabelsFile } from './labels-file.ts';
import { resizedPreprocessor } from './resized-preprocessor.ts';

/** Images of the calibration folder on which the variants are compared where no other folder is given. */
const DEFAULT_EVALUATION_IMAGES = 100;

/** The size that is measured and counted where the processor leaves it open, in px. */
const FALLBACK_SIZE_PX = 224;

/** Fields that `--size` decides, in HF's names and timm's. */
const SIZE_FIELDS = ['size', 'crop_size', 'input_size'];

/** What an import is asked to do. */
export interface ImportOptions {
  readonly source: string;
  readonly revision: string | null;
  readonly out: string;
  /** `usual`: fp32, and int8 where it can be made. `edge`: the one that a worker loads, int8 where it can be made. */
  readonly variants: readonly VariantName[] | 'usual' | 'edge';
  /** Outputs of every variant, or `all`; null for each variant's own default. */
  readonly outputs: readonly string[] | null;
  /** Folders of pictures. */
  readonly calibrate: string | null;
  readonly evaluate: string | null;
  /** Files. */
  readonly labels: string | null;
  readonly preprocessor: string | null;
  /** Shorter edge of the network's input in px; null for the processor's own. */
  readonly size: number | null;
  readonly name: string | null;
  readonly version: string | null;
}

/** What it works on. */
export interface PreparedImport {
  readonly name: string;
  readonly version: string | null;
  readonly source: Manifest['source'];
  readonly checkpoint: Checkpoint;
  readonly preprocessor: PreprocessorJson;
  /** Where the processor's options came from. */
  readonly preprocessorSource: string;
  /** Where everything that is known of the network came from. */
  readonly origins: readonly Origin[];
  /** What was ignored, made up, or taken off to get at the weights. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  /** Outputs of every variant; null for each variant's own default. */
  readonly outputs: readonly string[] | null;
  readonly processor: ProcessorConfig;
  /** The size of every image behind the processor; null where it depends on the picture. */
  readonly fixedSize: SpatialSize | null;
  /** The same, or a usual size. */
  readonly imageSize: SpatialSize;
  readonly variants: readonly VariantName[];
  readonly calibrationImages: ImageFolder | null;
  readonly evaluationImages: ImageFolder | null;
  /** Whether other resolutions are evaluated too: only where pictures were given for evaluation. */
  readonly comparesResolutions: boolean;
  readonly truth: ReadonlyMap<string, number> | null;
}

/**
 * Opens and checks what the options name.
 * @throws AppError naming the file, field or option that is wrong.
 */
export async function prepareImport(
  options: ImportOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<PreparedImport> {
  const labels =
    options.labels === null ? null : parseLabelsFile(await readFile(options.labels, 'utf8'), options.labels);
  const calibrationImages = options.calibrate === null ? null : await listImages(options.calibrate);
  const evaluationFolder = options.evaluate === null ? null : await listImages(options.evaluate);
  const version = options.version === null ? null : checkName('version', options.version);
  const name = options.name === null ? null : checkName('model', options.name);
  const source = await openSource(options.source, options.revision, env);
  const named = await nameLabels(source, labels, options.labels);
  const { checkpoint } = named;
  const outputs = options.outputs?.join() === 'all' ? outputNames(checkpoint.config) : options.outputs;
  if (outputs !== null) checkOutputs(checkpoint.config, outputs);
  const {
    preprocessor,
    source: preprocessorSource,
    origins: processorOrigins,
  } = await findPreprocessor(options, source);
  const processor = parseProcessorConfig(preprocessor);
  const origins = [...named.origins, ...processorOrigins];
  const fixedSize = fixedImageSize(processor);
  const { numChannels } = checkpoint.config;
  const { variants, warning } = chooseVariants(options.variants, fixedSize, numChannels);
  if (((calibrationImages ?? evaluationFolder) !== null || variants.includes('gpu')) && numChannels !== 3) {
    throw new ModelError(
      'invalid_model_config',
      `config.json: num_channels: ${numChannels}; pictures have 3, so this network has no int8 and no gpu variant`,
    );
  }
  if (variants.includes('gpu') && processor.pad !== null) {
    throw new ModelError(
      'invalid_model_config',
      `${preprocessorSource}: do_pad: the gpu variant normalises on the device and cannot pad behind it`,
    );
  }
  return {
    name: name ?? source.suggestedName,
    version,
    source: { kind: source.kind, reference: source.reference, sha256: source.sha256 },
    checkpoint,
    preprocessor,
    preprocessorSource,
    origins,
    notes: source.notes,
    warnings: [...source.warnings, ...assumptionWarnings(origins), ...(warning === null ? [] : [warning])],
    variants,
    outputs,
    processor,
    fixedSize,
    imageSize: fixedSize ?? { height: FALLBACK_SIZE_PX, width: FALLBACK_SIZE_PX },
    calibrationImages,
    evaluationImages:
      evaluationFolder ?? (calibrationImages && sampleImages(calibrationImages, DEFAULT_EVALUATION_IMAGES)),
    comparesResolutions: evaluationFolder !== null,
    truth: labels?.truth ?? null,
  };
}

/** The variants to build, and why int8 is not among them where it is usual. */
function chooseVariants(
  asked: ImportOptions['variants'],
  fixedSize: SpatialSize | null,
  channels: number,
): { variants: readonly VariantName[]; warning: string | null } {
  if (typeof asked !== 'string') return { variants: asked, warning: null };
  const obstacle =
    channels !== 3
      ? `the network reads ${channels} channels, and pictures have 3`
      : fixedSize === null
        ? 'the processor makes images of any size, and int8 needs one'
        : null;
  if (obstacle !== null) return { variants: ['fp32'], warning: `no int8 variant: ${obstacle}` };
  return { variants: asked === 'edge' ? ['int8'] : ['fp32', 'int8'], warning: null };
}

/** The network with the names of `--labels`; else its own; else, for timm's and Google's, ImageNet's where the number fits. */
async function nameLabels(
  { checkpoint, origins, kind, reference }: OpenedSource,
  labels: LabelsFile | null,
  file: string | null,
): Promise<{ checkpoint: Checkpoint; origins: readonly Origin[] }> {
  const { numLabels } = checkpoint.config;
  if (labels?.names != null) {
    if (labels.names.length === numLabels) {
      return rename(checkpoint, origins, { names: labels.names, from: `--labels ${file}`, assumed: false });
    }
    throw new ModelError(
      'invalid_model_config',
      `${file}: ${labels.names.length} labels; the network has ${numLabels}`,
    );
  }
  const isNameless = origins.some(({ field, assumed }) => field === 'labels' && assumed);
  const found = isNameless && kind !== 'huggingface' ? await imagenetNames(numLabels, reference) : null;
  return found === null ? { checkpoint, origins } : rename(checkpoint, origins, found);
}

function rename(
  checkpoint: Checkpoint,
  origins: readonly Origin[],
  { names, from, assumed }: ImagenetNames,
): { checkpoint: Checkpoint; origins: readonly Origin[] } {
  const value = `${names.length}: ${names.slice(0, 2).join('; ')}${names.length > 2 ? '; ...' : ''}`;
  const named = { field: 'labels', value, from, assumed };
  return {
    checkpoint: { ...checkpoint, config: { ...checkpoint.config, labels: names } },
    origins: origins.map((origin) => (origin.field === 'labels' ? named : origin)),
  };
}

/** The processor of `--preprocessor`, else the source's. */
async function findPreprocessor(options: ImportOptions, source: OpenedSource): Promise<FoundPreprocessor> {
  if (options.preprocessor !== null) {
    return resize(huggingFacePreprocessor(await readJsonObject(options.preprocessor), options.preprocessor), options);
  }
  const { preprocessor, preprocessorSource, preprocessorOrigins } = source;
  return resize({ preprocessor, source: preprocessorSource, origins: preprocessorOrigins }, options);
}

/** The processor for `--size`: the same crop of the picture, at another resolution. */
function resize(found: FoundPreprocessor, { size }: ImportOptions): FoundPreprocessor {
  if (size === null) return found;
  const preprocessor = resizedPreprocessor(found.preprocessor, size);
  const origins = found.origins.map((origin) => {
    if (!SIZE_FIELDS.includes(origin.field)) return origin;
    const value = JSON.stringify(preprocessor[origin.field] ?? size);
    return { field: origin.field, value, from: `--size ${size}, of ${origin.from}`, assumed: false };
  });
  return { preprocessor, source: `${found.source}, --size ${size}`, origins };
}

async function readJsonObject(path: string): Promise<PreprocessorJson> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new ModelError('invalid_model_config', `${path}: ${cause instanceof Error ? cause.message : 'not JSON'}`, {
      cause,
    });
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as PreprocessorJson;
  throw new ModelError('invalid_model_config', `${path}: not an object`);
}
