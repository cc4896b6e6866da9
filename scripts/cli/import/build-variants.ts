/** Builds the graphs that an import is asked for. */
import { variantFiles } from '../../../model-store/build/assemble.ts';
import { type BuiltGraph, buildBitGraph } from '../../../model-store/build/graph/build.ts';
import { buildGpuGraph } from '../../../model-store/build/graph/build-gpu.ts';
import { outputNames } from '../../../model-store/build/graph/network.ts';
import type { SpatialSize } from '../../../model-store/build/graph/padding.ts';
import { buildInt8Graph, type Int8Graph } from '../../../model-store/build/quantize/build-int8.ts';
import type { Calibration } from '../../../model-store/build/quantize/calibration.ts';
import { estimateCalibration } from '../../../model-store/build/quantize/estimate-calibration.ts';
import { pixelGrid } from '../../../model-store/build/quantize/pixel-grid.ts';
import type { VariantName } from '../../../model-store/manifest.ts';
import { ModelError } from '../../../worker/errors.ts';
import { calibrate } from '../calibrate.ts';
import { Progress } from '../progress.ts';
import type { QuantizedLayer } from '../report/report.ts';
import { type ImageFolder, loadPixelValues } from './images.ts';
import type { PreparedImport } from './prepare.ts';

/** The graphs of one version. */
export interface BuiltVariants {
  readonly graphs: ReadonlyMap<VariantName, BuiltGraph>;
  /** The one that a worker loads; `gpu` if none can. */
  readonly defaultVariant: VariantName;
  /** Of the int8 variant; empty where there is none. */
  readonly layers: readonly QuantizedLayer[];
  /** int8 as it would be without the pictures that it was calibrated with; null where there were none. Not published. */
  readonly int8WithoutPictures: Int8Graph | null;
  /** Of the int8 variant; null where there is none. */
  readonly calibration: Calibration | null;
}

/**
 * Builds the variants, the default one with the plain file names.
 * @throws ModelError `invalid_model_config` where int8 is asked for and images have no fixed size.
 */
export async function buildVariants(prepared: PreparedImport): Promise<BuiltVariants> {
  const { checkpoint, outputs, variants } = prepared;
  // Every builder has a default of its own where none are named.
  const named = outputs === null ? {} : { outputs };
  const defaultVariant = (['int8', 'fp32', 'gpu'] as const).find((name) => variants.includes(name)) ?? 'fp32';
  const graphs = new Map<VariantName, BuiltGraph>();
  let layers: readonly QuantizedLayer[] = [];
  let int8WithoutPictures: Int8Graph | null = null;
  let calibration: Calibration | null = null;
  for (const variant of variants) {
    const externalWeights = variantFiles(variant, defaultVariant).weights;
    if (variant === 'int8') {
      const size = requireFixedSize(prepared);
      const { calibrationImages: pictures } = prepared;
      const estimated = estimateCalibration(checkpoint, size, prepared.processor);
      calibration = pictures === null ? estimated : await calibrateWith(pictures, prepared, size);
      const int8 = buildInt8(prepared, size, calibration, externalWeights);
      if (pictures !== null) int8WithoutPictures = buildInt8(prepared, size, estimated, externalWeights);
      graphs.set(variant, int8);
      layers = int8.layers.map(toQuantizedLayer);
    } else if (variant === 'fp32') {
      // The reference variant runs at any size and gives every output: it is what verify and feature extraction use.
      const all = outputs ?? outputNames(checkpoint.config);
      graphs.set(variant, buildBitGraph(checkpoint, { outputs: all, inputSize: null, externalWeights }));
    } else {
      const { fixedSize: inputSize, processor: normalization } = prepared;
      const gpu = { ...named, inputSize, externalWeights, precision: 'float16', normalization } as const;
      graphs.set(variant, buildGpuGraph(checkpoint, gpu));
    }
  }
  return { graphs, defaultVariant, layers, int8WithoutPictures, calibration };
}

function requireFixedSize({ fixedSize, preprocessorSource }: PreparedImport): SpatialSize {
  if (fixedSize !== null) return fixedSize;
  throw new ModelError(
    'invalid_model_config',
    `${preprocessorSource}: crop_size: int8 needs images of one size; crop them, or resize to {height, width}`,
  );
}

function calibrateWith(
  pictures: ImageFolder,
  { checkpoint, processor }: PreparedImport,
  size: SpatialSize,
): Promise<Calibration> {
  return calibrate(checkpoint, size, pixelValuesOf(pictures, processor));
}

function buildInt8(
  { checkpoint, processor, outputs }: PreparedImport,
  inputSize: SpatialSize,
  calibration: Calibration,
  externalWeights: string,
): Int8Graph {
  const options = { inputSize, externalWeights, pixelGrid: pixelGrid(processor) };
  return buildInt8Graph(checkpoint, calibration, outputs === null ? options : { ...options, outputs });
}

async function* pixelValuesOf(
  images: ImageFolder,
  processor: PreparedImport['processor'],
): AsyncGenerator<Float32Array, void> {
  const progress = new Progress('calibrating', images.paths.length);
  for (const [index, path] of images.paths.entries()) {
    progress.update(index);
    const { data } = await loadPixelValues(images, path, processor);
    yield data;
  }
  progress.finish(`${images.paths.length} images`);
}

function toQuantizedLayer(layer: Int8Graph['layers'][number]): QuantizedLayer {
  const { name, precision, weightError, inputError } = layer;
  return { name, precision, weight_error: weightError, input_error: inputError };
}
