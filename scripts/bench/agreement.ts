/**
 * `npm run bench -- agreement`: the same int8 files in the engine and in onnxruntime-web, in this process. The default model on the
 * validation images of the shared data (where present), BiT-R50x1 and R101x1 with random weights at 224 and 448 px on one photo.
 * `--only TEXT` chooses: `default`, `r50 224`, `r101 448`, ...
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../../model-store/build/checkpoint/checkpoint.ts';
import { defaultPreprocessor } from '../../model-store/build/checkpoint/preprocessor.ts';
import { buildInt8Graph } from '../../model-store/build/quantize/build-int8.ts';
import { estimateCalibration } from '../../model-store/build/quantize/estimate-calibration.ts';
import { pixelGrid } from '../../model-store/build/quantize/pixel-grid.ts';
import { ConfigurationError } from '../../worker/errors.ts';
import { planMemory } from '../../worker/inference/engine/memory-plan.ts';
import { recognize } from '../../worker/inference/engine/recognize.ts';
import type { InferenceSession, Tensor } from '../../worker/inference/inference-session.ts';
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';
import { preprocess } from '../../worker/preprocess/preprocess.ts';
import { ensureDefaultModel } from '../cli/default-model.ts';
import { readManifestFile } from '../cli/files/manifest-file.ts';
import { listImages, loadPixelValues } from '../cli/import/images.ts';
import { openAsWorker, openEngine, openGraph } from '../cli/onnx/variant-runner.ts';
import { encodePhoto, makePhoto } from './photo.ts';
import { randomR50x1, randomR101x1 } from './random-checkpoint.ts';
import { sharedFolder } from './shared-data.ts';
import type { BenchOptions, BenchSuite } from './suite.ts';

const WEIGHTS = 'weights.bin';
const OUTPUTS = ['logits', 'pooler_output', 'stage1', 'stage2', 'stage3', 'stage4'];

const NETWORKS: readonly { readonly name: string; readonly side: number; make(): Checkpoint }[] = [
  { name: 'r50 224', side: 224, make: randomR50x1 },
  { name: 'r50 448', side: 448, make: randomR50x1 },
  { name: 'r101 224', side: 224, make: randomR101x1 },
  { name: 'r101 448', side: 448, make: randomR101x1 },
];

/** What the comparison of one network found. */
interface Agreement {
  readonly images: number;
  /** Share of the images with the same best class. */
  readonly same_top1: number;
  readonly values: number;
  /** Values of all outputs that differ in any bit. */
  readonly differing: number;
  /** Largest difference, relative to the output's largest magnitude. */
  readonly worst_relative: number;
}

/** Adds up what two sessions give for the same images. */
class Comparison {
  #images = 0;
  #same = 0;
  #values = 0;
  #differing = 0;
  #worst = 0;

  add(ours: ReadonlyMap<string, Tensor>, theirs: ReadonlyMap<string, Tensor>): void {
    this.#images++;
    for (const [name, { data: found }] of ours) {
      const { data: expected } = theirs.get(name)!;
      let [magnitude, difference, best, expectedBest] = [0, 0, 0, 0];
      for (let i = 0; i < expected.length; i++) {
        magnitude = Math.max(magnitude, Math.abs(expected[i]!));
        difference = Math.max(difference, Math.abs(expected[i]! - found[i]!));
        if (!Object.is(expected[i], found[i])) this.#differing++;
        if (found[i]! > found[best]!) best = i;
        if (expected[i]! > expected[expectedBest]!) expectedBest = i;
      }
      this.#values += expected.length;
      this.#worst = Math.max(this.#worst, magnitude === 0 ? difference : difference / magnitude);
      if (name === 'logits' && best === expectedBest) this.#same++;
    }
  }

  finish(): Agreement {
    return {
      images: this.#images,
      same_top1: this.#same / this.#images,
      values: this.#values,
      differing: this.#differing,
      worst_relative: this.#worst,
    };
  }
}

async function compareDefault(): Promise<Agreement | null> {
  const folder = join(sharedFolder(), 'tiny-imagenet/validation');
  if (!existsSync(folder)) return null;
  const { directory } = await ensureDefaultModel();
  const { manifest } = await readManifestFile(directory);
  const processor = parseProcessorConfig(
    JSON.parse(await readFile(join(directory, manifest.preprocessor.path), 'utf8')),
  );
  const engine = await openAsWorker(directory, manifest, 'bit');
  const onnxruntime = await openAsWorker(directory, manifest, 'onnxruntime');
  const images = await listImages(folder);
  const comparison = new Comparison();
  const input = manifest.variants[manifest.default_variant]!.inputs[0]!.name;
  for (const path of images.paths) {
    const feeds = new Map([[input, await loadPixelValues(images, path, processor)]]);
    const run = ({ session }: { readonly session: InferenceSession }) =>
      session.run(feeds, ['logits', 'pooler_output']);
    comparison.add(run(engine), run(onnxruntime));
  }
  return comparison.finish();
}

async function compareNetwork(checkpoint: Checkpoint, side: number): Promise<Agreement> {
  const size = { height: side, width: side };
  const processor = parseProcessorConfig({
    ...defaultPreprocessor('huggingface'),
    size: { shortest_edge: side },
    crop_size: size,
  });
  const calibration = estimateCalibration(checkpoint, size, processor);
  const options = { inputSize: size, externalWeights: WEIGHTS, pixelGrid: pixelGrid(processor), outputs: OUTPUTS };
  const graph = buildInt8Graph(checkpoint, calibration, options);
  const recognition = recognize(graph.model, { path: WEIGHTS, bytes: graph.weights!.byteLength });
  if (recognition.kind === 'other') throw new Error(`the engine does not run it: ${recognition.reason}`);
  const { network } = recognition;
  const memory = { runtimeBytes: 0, sessionBytes: 0, marginBytes: 0, transferBytes: 0, graphBytes: 0 };
  const engine = await openEngine({ kind: 'bit', memory, network, plan: planMemory(network)! }, graph.weights);
  const onnxruntime = await openGraph(graph, WEIGHTS);
  const { pixelValues } = await preprocess(await encodePhoto(await makePhoto(1280, 960), 'jpeg'), processor);
  const image = { type: 'float32', shape: [1, 3, side, side], data: pixelValues } as const;
  const feeds = new Map([[graph.inputs[0]!.name, image]]);
  const comparison = new Comparison();
  comparison.add(engine.session.run(feeds, OUTPUTS), onnxruntime.run(feeds, OUTPUTS));
  return comparison.finish();
}

async function run({ only, print }: BenchOptions): Promise<Readonly<Record<string, unknown>>> {
  const result: Record<string, Agreement> = {};
  print('| network | images | same best class | values that differ in a bit | largest relative difference |');
  print('|---|---|---|---|---|');
  const report = (name: string, found: Agreement): void => {
    result[name] = found;
    const { images, same_top1: same, differing, values, worst_relative: worst } = found;
    print(`| ${name} | ${images} | ${(100 * same).toFixed(1)} % | ${differing} of ${values} | ${worst} |`);
  };
  if ('default'.includes(only)) {
    const found = await compareDefault();
    if (found === null) print('| default | none: no tiny-imagenet in the shared data | | | |');
    else report('default', found);
  }
  for (const { name, side, make } of NETWORKS)
    if (name.includes(only)) report(name, await compareNetwork(make(), side));
  if (Object.keys(result).length === 0) throw new ConfigurationError(`--only ${only}: nothing has that in its name`);
  return result;
}

/** `npm run bench -- agreement`. */
export const AGREEMENT_SUITE: BenchSuite = { run };
