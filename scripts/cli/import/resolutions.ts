/** What a network costs at other resolutions, planned from its graphs; and what it answers there, where there are pictures. */
import type { Checkpoint } from '../../../model-store/build/checkpoint/checkpoint.ts';
import type { PreprocessorJson } from '../../../model-store/build/checkpoint/preprocessor.ts';
import type { BuiltGraph } from '../../../model-store/build/graph/build.ts';
import type { SpatialSize } from '../../../model-store/build/graph/padding.ts';
import { buildInt8Graph } from '../../../model-store/build/quantize/build-int8.ts';
import type { Calibration } from '../../../model-store/build/quantize/calibration.ts';
import { pixelGrid } from '../../../model-store/build/quantize/pixel-grid.ts';
import type { QuantizedWeights } from '../../../model-store/build/quantize/quantize-weights.ts';
import type { Manifest } from '../../../model-store/manifest.ts';
import { ModelError } from '../../../worker/errors.ts';
import {
  checkModelFits,
  DEFAULT_MEMORY_BUDGET_BYTES,
  modelRoomBytes,
  plannedHeapBytes,
} from '../../../worker/inference/memory-plan.ts';
import { type PreparedVersion, prepareVersion } from '../../../worker/inference/prepare-variant.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { openEngine, openGraph } from '../onnx/variant-runner.ts';
import { Progress } from '../progress.ts';
import { argmax } from './evaluate.ts';
import { type ImageFolder, loadPixelValues } from './images.ts';
import { resizedPreprocessor } from './resized-preprocessor.ts';

/** What BiT is fine-tuned and used at. */
const SIDES_PX = [224, 288, 320, 384, 448];

/** The int8 variant at one resolution. */
export interface Resolution {
  readonly side_px: number;
  /** Multiply-accumulates of one image. */
  readonly macs: number;
  /** Median of the runs at the version's own resolution, times the share of multiply-accumulates; null where it was not measured. */
  readonly estimated_run_ms: number | null;
  /** Planned peak of the WASM heap in a worker. */
  readonly heap_bytes: number;
  /** Whether a worker with the usual memory budget serves it, images included. */
  readonly fits_edge: boolean;
  /** Share of the pictures whose best class is fp32's at the version's own resolution; null without `--evaluate`. */
  readonly agreement: number | null;
}

/** Pictures, and what fp32 says of them at the version's own resolution. */
export interface ResolutionReference {
  readonly images: ImageFolder;
  /** fp32's best class, by image. */
  readonly best: readonly number[];
  /** int8's agreement at the version's own resolution. */
  readonly own: number | null;
}

/** What the table is made of. */
export interface ResolutionParts {
  readonly manifest: Manifest;
  readonly checkpoint: Checkpoint;
  readonly processor: ProcessorConfig;
  readonly calibration: Calibration;
  readonly ownSize: SpatialSize;
  /** Of the int8 variant at its own size. */
  readonly runMs: number | null;
  readonly preprocessor: PreprocessorJson;
  /** Null where answers are not compared. */
  readonly reference: ResolutionReference | null;
}

/** Plans the int8 variant at the usual resolutions and its own, smallest first. Those that the network is too large for are left out. */
export async function planResolutions(parts: ResolutionParts): Promise<Resolution[]> {
  const { manifest, ownSize, runMs } = parts;
  if (ownSize.height !== ownSize.width) return [];
  const ownMacs = manifest.variants.int8!.macs;
  const sides = [...new Set([...SIDES_PX, ownSize.width])].sort((a, b) => a - b);
  const quantized = new Map<string, QuantizedWeights>();
  const rows: Resolution[] = [];
  for (const side of sides) {
    const graph = buildAt(parts, side, quantized);
    if (graph === null) continue;
    const macs = graph.macs!;
    const { prepared, heapBytes, fits } = await planMemory(manifest, graph);
    const agreement = await agreementAt(parts, side, graph, prepared);
    const estimated = runMs === null ? null : (runMs * macs) / ownMacs;
    rows.push({ side_px: side, macs, estimated_run_ms: estimated, heap_bytes: heapBytes, fits_edge: fits, agreement });
  }
  return rows;
}

function buildAt(
  { manifest, checkpoint, processor, calibration }: ResolutionParts,
  side: number,
  quantized: Map<string, QuantizedWeights>,
): BuiltGraph | null {
  const { weights, outputs } = manifest.variants.int8!;
  try {
    return buildInt8Graph(checkpoint, calibration, {
      inputSize: { height: side, width: side },
      externalWeights: weights!.path,
      pixelGrid: pixelGrid(processor),
      outputs: outputs.map(({ name }) => name),
      quantized,
    });
  } catch (error) {
    if (error instanceof ModelError && error.code === 'invalid_model_config') return null;
    throw error;
  }
}

/** Runs all pictures at a resolution, as a worker would. */
async function agreementAt(
  { manifest, preprocessor, ownSize, reference }: ResolutionParts,
  side: number,
  graph: BuiltGraph,
  prepared: PreparedVersion,
): Promise<number | null> {
  if (reference === null) return null;
  if (side === ownSize.width) return reference.own;
  const { images, best } = reference;
  const processor = parseProcessorConfig(resizedPreprocessor(preprocessor, side));
  const session =
    prepared.kind === 'bit'
      ? (await openEngine(prepared, graph.weights)).session
      : await openGraph(graph, manifest.variants.int8!.weights!.path);
  const progress = new Progress(`evaluating int8 at ${side} px`, images.paths.length);
  let agreeing = 0;
  for (const [index, path] of images.paths.entries()) {
    progress.update(index);
    const input = await loadPixelValues(images, path, processor);
    const { data } = session.run(new Map([[graph.inputs[0]!.name, input]]), ['logits']).get('logits')!;
    if (argmax(Float32Array.from(data)) === best[index]) agreeing++;
  }
  session.release();
  progress.finish(`agrees with fp32 on ${agreeing} of ${images.paths.length} images`);
  return agreeing / images.paths.length;
}

async function planMemory(
  manifest: Manifest,
  { model, weights, inputs, outputs }: BuiltGraph,
): Promise<{ prepared: PreparedVersion; heapBytes: number; fits: boolean }> {
  const int8 = manifest.variants.int8!;
  const variant = {
    ...int8,
    model: { ...int8.model, bytes: model.byteLength },
    weights: { ...int8.weights!, bytes: weights!.byteLength },
    inputs: [...inputs],
    outputs: [...outputs],
    wasm_heap_bytes: null,
  };
  const planned: Manifest = { ...manifest, variants: { int8: variant }, default_variant: 'int8' };
  const prepared = await prepareVersion(planned, 'auto', async () => model);
  const { memory } = prepared;
  const heapBytes = plannedHeapBytes([memory]);
  try {
    checkModelFits(planned, memory, modelRoomBytes(DEFAULT_MEMORY_BUDGET_BYTES));
    return { prepared, heapBytes, fits: true };
  } catch (error) {
    if (error instanceof ModelError && error.code === 'model_too_large') return { prepared, heapBytes, fits: false };
    throw error;
  }
}
