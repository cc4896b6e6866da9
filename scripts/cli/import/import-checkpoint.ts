/** One import: checkpoint to graphs, measured, to a version's folder. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AssembledVersion,
  assembleVersion,
  encodeJson,
  type VersionParts,
  variantFiles,
} from '../../../model-store/build/assemble.ts';
import type { BuiltGraph } from '../../../model-store/build/graph/build.ts';
import type { Manifest, VariantName } from '../../../model-store/manifest.ts';
import { ModelError } from '../../../worker/errors.ts';
import { withStagedFolder } from '../files/staged-folder.ts';
import { type Measurement, measureVariant } from '../onnx/measure-variant.ts';
import { tryVersion } from '../onnx/try-version.ts';
import { openGraph, openVariant } from '../onnx/variant-runner.ts';
import { Progress } from '../progress.ts';
import { renderLayerPlot } from '../report/layer-plot.ts';
import { renderMarkdown } from '../report/markdown.ts';
import { createReport, type Report } from '../report/report.ts';
import { type BuiltVariants, buildVariants } from './build-variants.ts';
import { type Contender, type Evaluated, evaluateVariants } from './evaluate.ts';
import { type ImportOptions, type PreparedImport, prepareImport } from './prepare.ts';
import { planResolutions, type Resolution } from './resolutions.ts';

/** What an import made. */
export interface Imported {
  readonly manifest: Manifest;
  readonly report: Report;
}

type Measurements = Partial<Record<VariantName, Measurement>>;

/**
 * Imports a checkpoint into a folder, whole or not at all.
 * @param now RFC 3339.
 * @param env see `openSource`.
 * @throws AppError naming the file, field or option that is wrong.
 */
export async function importCheckpoint(
  options: ImportOptions,
  now: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Imported> {
  return withStagedFolder(options.out, 'manifest.json', async (folder) => {
    const prepared = await prepareImport(options, env);
    const built = await buildVariants(prepared);
    const parts = versionParts(prepared, built, now);
    const draft = await assembleVersion({ ...parts, variants: withHeap(built.graphs, {}) });
    await writeVersionFiles(folder, draft, () => true);
    const warnings = [...prepared.warnings];
    const measurements = await measureAll(folder, prepared, built.graphs, warnings);
    const evaluated = await evaluate(folder, draft.manifest, prepared, built, warnings);
    const evaluation = evaluated?.evaluation ?? null;
    const resolutions = await planAll(draft.manifest, prepared, built, measurements, evaluated);
    const report = createReport({
      manifest: draft.manifest,
      imageSize: prepared.imageSize,
      preprocessorSource: prepared.preprocessorSource,
      origins: prepared.origins,
      notes: prepared.notes,
      measurements,
      calibrationImages: prepared.calibrationImages?.paths.length ?? 0,
      layers: built.layers,
      resolutions,
      evaluation: evaluation && { folder: prepared.evaluationImages!.name, ...evaluation },
      warnings,
    });
    const plot = renderLayerPlot(report);
    const page = new TextEncoder().encode(renderMarkdown(report, plot !== null));
    const attachments = new Map([['report.md', page]]);
    if (plot !== null) attachments.set('report.svg', new TextEncoder().encode(plot));
    const final = await assembleVersion({
      ...parts,
      // What was measured is no part of the version's name.
      version: draft.manifest.version,
      variants: withHeap(built.graphs, measurements),
      report: encodeJson(report),
      attachments,
    });
    await writeVersionFiles(folder, final, (path) => path.startsWith('report.'));
    return { manifest: final.manifest, report };
  });
}

/** The int8 variant at other resolutions. */
async function planAll(
  manifest: Manifest,
  { checkpoint, preprocessor, processor, fixedSize: ownSize, evaluationImages, comparesResolutions }: PreparedImport,
  { calibration }: BuiltVariants,
  measurements: Measurements,
  evaluated: Evaluated | null,
): Promise<Resolution[]> {
  if (calibration === null || ownSize === null) return [];
  const runMs = measurements.int8?.run_ms ?? null;
  const best = evaluated?.fp32Best ?? null;
  const reference =
    comparesResolutions && best !== null && evaluationImages !== null
      ? { images: evaluationImages, best, own: evaluated?.evaluation.int8_vs_fp32?.agreement ?? null }
      : null;
  return planResolutions({ manifest, checkpoint, preprocessor, processor, calibration, ownSize, runMs, reference });
}

function versionParts(prepared: PreparedImport, built: BuiltVariants, now: string): Omit<VersionParts, 'variants'> {
  const { name, version, source, checkpoint, preprocessor, imageSize } = prepared;
  const content = { name, version, source, checkpoint, preprocessor, imageSize, createdAt: now };
  return { ...content, defaultVariant: built.defaultVariant, report: null, attachments: new Map() };
}

function withHeap(graphs: ReadonlyMap<VariantName, BuiltGraph>, measurements: Measurements): VersionParts['variants'] {
  const entries = [...graphs].map(([name, graph]) => {
    return [name, { graph, wasmHeapBytes: measurements[name]?.wasm_heap_bytes ?? null }] as const;
  });
  return Object.fromEntries(entries);
}

async function writeVersionFiles(
  folder: string,
  { manifest, files }: AssembledVersion,
  include: (path: string) => boolean,
): Promise<void> {
  for (const [path, bytes] of files) if (include(path)) await writeFile(join(folder, path), bytes);
  await writeFile(join(folder, 'manifest.json'), encodeJson(manifest));
}

/**
 * Measures what a worker can run, and tries all of it on a picture. A variant that does not run at the processor's size is a warning.
 * @throws ModelError `model_failed` where a variant's answer cannot be one.
 */
async function measureAll(
  folder: string,
  { imageSize }: PreparedImport,
  graphs: ReadonlyMap<VariantName, BuiltGraph>,
  warnings: string[],
): Promise<Measurements> {
  const measurements: Measurements = {};
  for (const name of graphs.keys()) {
    const progress = new Progress(name === 'gpu' ? 'trying gpu' : `measuring ${name}`, 0);
    try {
      if (name === 'gpu') {
        const missing = await tryVersion(folder, name, 'auto');
        if (missing !== null) warnings.push(`gpu was not tried: ${missing}`);
        progress.finish(missing === null ? 'it answers' : 'not tried');
        continue;
      }
      const measured = await measureVariant(folder, name, imageSize);
      measurements[name] = measured;
      progress.finish(`${measured.run_ms.toFixed(0)} ms, ${(measured.heap_bytes / 2 ** 20).toFixed(1)} MiB`);
    } catch (error) {
      progress.clear();
      if (error instanceof ModelError && error.code === 'model_failed') throw error;
      const problem = error instanceof Error ? error.message : String(error);
      warnings.push(`${name} was not measured at ${imageSize.width}x${imageSize.height} px: ${problem}`);
    }
  }
  return measurements;
}

async function evaluate(
  folder: string,
  manifest: Manifest,
  { evaluationImages, processor, truth, checkpoint }: PreparedImport,
  { int8WithoutPictures, defaultVariant }: BuiltVariants,
  warnings: string[],
): Promise<Evaluated | null> {
  if (evaluationImages === null) return null;
  if (checkpoint.config.numLabels === 0) {
    warnings.push('not evaluated: the network has no labels');
    return null;
  }
  const names = (['fp32', 'int8'] as const).filter((name) => manifest.variants[name] !== undefined);
  const contenders: Contender[] = [];
  for (const name of names) {
    const { variant, session } = await openVariant(folder, manifest, name);
    contenders.push({ name, input: variant.inputs[0]!.name, session });
  }
  if (int8WithoutPictures !== null) {
    const session = await openGraph(int8WithoutPictures, variantFiles('int8', defaultVariant).weights);
    contenders.push({ name: 'int8_without_pictures', input: int8WithoutPictures.inputs[0]!.name, session });
  }
  const evaluated = await evaluateVariants(contenders, evaluationImages, processor, truth);
  if (truth !== null && evaluated.evaluation.labelled === 0) {
    warnings.push(`the labels file has no answer for any image of ${evaluationImages.folder}`);
  }
  return evaluated;
}
