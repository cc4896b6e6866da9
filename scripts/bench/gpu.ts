/**
 * `npm run bench -- gpu`: images/s of the GPU backend's engine by model, provider and batch size, on ready-made tensors; and
 * what is left of that over HTTP.
 *
 * Providers that do not load are named with their reason. A side that takes longer than `SLOW_MS` a run is measured once, and
 * larger batches of it are left out: a software adapter needs seconds for one image.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Engine, startEngine } from '../../gpu-backend/engine.ts';
import { PROVIDERS, type Provider } from '../../gpu-backend/engine-protocol.ts';
import { assembleVersion } from '../../model-store/build/assemble.ts';
import type { Checkpoint } from '../../model-store/build/checkpoint/checkpoint.ts';
import { defaultPreprocessor, type PreprocessorJson } from '../../model-store/build/checkpoint/preprocessor.ts';
import { readCheckpoint } from '../../model-store/build/checkpoint/read-checkpoint.ts';
import { buildGpuGraph } from '../../model-store/build/graph/build-gpu.ts';
import { memoryDirectory } from '../../model-store/checkpoint-directory.ts';
import { ConfigurationError } from '../../worker/errors.ts';
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';
import { writeVersion } from '../cli/build-default-model.ts';
import { readBytes } from '../cli/files/read-file.ts';
import { startHttpBench } from './gpu-http.ts';
import { randomR50x1 } from './random-checkpoint.ts';
import { type BenchOptions, type BenchSuite, median } from './suite.ts';

const BATCHES = [1, 2, 4, 8, 16, 32, 64];
const SLOW_MS = 5_000;
const HTTP_BATCH = 32;

interface BenchModel {
  readonly name: string;
  readonly sidePx: number;
  readonly source: () => Promise<Source>;
}

interface Source {
  readonly checkpoint: Checkpoint;
  readonly preprocessor: PreprocessorJson;
  readonly reference: string;
}

const MODELS: readonly BenchModel[] = [
  { name: 'bit-tiny-200', sidePx: 64, source: readDefaultModel },
  {
    name: 'r50x1-random',
    sidePx: 224,
    source: async () => ({
      checkpoint: randomR50x1(),
      preprocessor: defaultPreprocessor('huggingface'),
      reference: 'random',
    }),
  },
];

interface Side {
  readonly model: BenchModel;
  readonly provider: Provider;
  readonly batch: number;
  readonly times: number[];
}

/** One row of the result. */
interface Row {
  readonly model: string;
  readonly provider: Provider;
  readonly batch: number;
  readonly medianMs: number;
  readonly imagesPerSecond: number;
  readonly runs: number;
}

/** The suite. */
export const GPU_SUITE: BenchSuite = {
  async run(options) {
    if (!existsSync(new URL('../../gpu-backend/node_modules/onnxruntime-node', import.meta.url))) {
      throw new ConfigurationError('onnxruntime-node is not installed; run "npm ci --prefix gpu-backend"');
    }
    const folder = await mkdtemp(join(tmpdir(), 'bit-edge-bench-'));
    const engine = startEngine((error) => {
      throw error;
    });
    try {
      const rows: Row[] = [];
      for (const model of MODELS) rows.push(...(await measureModel(engine, folder, model, options)));
      const http = 'http'.includes(options.only) ? await measureHttp(engine, folder, MODELS[0]!, options) : null;
      return { cores: cpus().length, cpu: cpus()[0]?.model ?? 'unknown', rows, http };
    } finally {
      await engine.close();
      await rm(folder, { recursive: true });
    }
  },
};

async function measureModel(engine: Engine, folder: string, model: BenchModel, options: BenchOptions): Promise<Row[]> {
  const path = await writeModel(folder, model);
  const sides: Side[] = [];
  for (const provider of PROVIDERS) {
    if (!`${model.name} ${provider}`.includes(options.only)) continue;
    try {
      const { loadMs, precision } = await load(engine, path, model, provider);
      options.print(`${model.name} on ${provider} in ${precision}: loaded in ${(loadMs / 1000).toFixed(1)} s`);
    } catch (error) {
      options.print(`${model.name} on ${provider}: ${error instanceof Error ? error.message.slice(0, 160) : error}`);
      continue;
    }
    for (const batch of BATCHES) {
      const side: Side = { model, provider, batch, times: [] };
      // Once untimed for the shaders and buffers of this size, once more to see whether it is slow.
      await measure(engine, side);
      const onceMs = await measure(engine, side);
      sides.push(side);
      if (onceMs <= SLOW_MS) continue;
      side.times.push(onceMs);
      break;
    }
  }
  const quick = sides.filter((side) => side.times.length === 0);
  for (let round = 0; round < options.runs; round++) {
    for (let i = 0; i < quick.length; i++) {
      const side = quick[(round + i) % quick.length]!;
      side.times.push(await measure(engine, side));
    }
  }
  for (const provider of PROVIDERS) await engine.release(sessionOf(model, provider));
  if (sides.length === 0) return [];
  const rows = sides.map(rowOf);
  options.print(`${'provider'.padEnd(10)}${'batch'.padStart(6)}${'ms'.padStart(10)}${'images/s'.padStart(10)}`);
  for (const { provider, batch, medianMs, imagesPerSecond } of rows) {
    const ms = medianMs.toFixed(1).padStart(10);
    options.print(`${provider.padEnd(10)}${String(batch).padStart(6)}${ms}${imagesPerSecond.toFixed(1).padStart(10)}`);
  }
  return rows;
}

/** The same batches straight to the engine and over HTTP, in turn. */
async function measureHttp(engine: Engine, store: string, model: BenchModel, { runs, print }: BenchOptions) {
  const path = join(store, 'models', model.name, '1', 'model-gpu.onnx');
  await load(engine, path, model, 'cpu');
  const http = await startHttpBench(store, model.name, model.sidePx, HTTP_BATCH);
  try {
    const side: Side = { model, provider: 'cpu', batch: HTTP_BATCH, times: [] };
    const alone: number[] = [];
    const overHttp: number[] = [];
    for (let round = 0; round < runs + 1; round++) {
      const times: number[] = [];
      for (let i = 0; i < 8; i++) times.push(await measure(engine, side));
      const rate = await http.measure();
      if (round === 0) continue;
      alone.push((1000 * HTTP_BATCH * times.length) / times.reduce((sum, ms) => sum + ms, 0));
      overHttp.push(rate);
    }
    const result = {
      batch: HTTP_BATCH,
      alone: median(alone),
      overHttp: median(overHttp),
      share: median(overHttp) / median(alone),
    };
    const share = (100 * result.share).toFixed(0);
    print(
      `${model.name}, cpu, batch ${HTTP_BATCH}: engine ${result.alone.toFixed(1)}, over HTTP ${result.overHttp.toFixed(1)} images/s (${share} %)`,
    );
    return result;
  } finally {
    await http.close();
  }
}

function rowOf({ model, provider, batch, times }: Side): Row {
  const medianMs = median(times);
  return {
    model: model.name,
    provider,
    batch,
    medianMs,
    imagesPerSecond: (1000 * batch) / medianMs,
    runs: times.length,
  };
}

async function load(engine: Engine, path: string, model: BenchModel, provider: Provider) {
  return await engine.load({
    kind: 'load',
    session: sessionOf(model, provider),
    path,
    providers: [provider],
    threads: 0,
    inputs: [{ name: 'image', datatype: 'UINT8', rowShape: [model.sidePx, model.sidePx, 3] }],
    outputs: ['logits'],
    warmBatches: [1],
  });
}

async function measure(engine: Engine, { model, provider, batch }: Side): Promise<number> {
  const shape = [batch, model.sidePx, model.sidePx, 3];
  const image = new Uint8Array(shape.reduce((product, dimension) => product * dimension, 1));
  for (let index = 0; index < image.length; index++) image[index] = index * 7919;
  const inputs = [{ name: 'image', datatype: 'UINT8', shape, buffer: image.buffer }] as const;
  const start = performance.now();
  await engine.run({ kind: 'run', session: sessionOf(model, provider), inputs, outputs: ['logits'] });
  return performance.now() - start;
}

function sessionOf(model: BenchModel, provider: Provider): string {
  return `${model.name}/${provider}`;
}

/** Writes a model's version into the store; returns the path of its graph. */
async function writeModel(store: string, model: BenchModel): Promise<string> {
  const { checkpoint, preprocessor, reference } = await model.source();
  const graph = buildGpuGraph(checkpoint, {
    inputSize: { height: model.sidePx, width: model.sidePx },
    externalWeights: 'weights-gpu.bin',
    normalization: parseProcessorConfig(preprocessor),
    precision: 'float16',
  });
  const version = await assembleVersion({
    name: model.name,
    version: '1',
    createdAt: '2026-01-01T00:00:00Z',
    source: { kind: 'huggingface', reference, sha256: null },
    checkpoint,
    preprocessor,
    imageSize: { height: model.sidePx, width: model.sidePx },
    // A manifest needs a variant for the edge; nobody reads it here.
    variants: { fp32: { graph, wasmHeapBytes: null }, gpu: { graph, wasmHeapBytes: null } },
    defaultVariant: 'fp32',
    report: null,
    attachments: new Map(),
  });
  const directory = join(store, 'models', model.name, '1');
  await writeVersion(version, directory);
  return join(directory, version.manifest.variants.gpu!.model.path);
}

async function readDefaultModel(): Promise<Source> {
  const folder = fileURLToPath(new URL('../../model-store/models/bit-tiny-200/', import.meta.url));
  const files: Record<string, Uint8Array> = {};
  for (const file of ['config.json', 'model.safetensors', 'preprocessor_config.json']) {
    files[file] = await readBytes(join(folder, file));
  }
  return { ...(await readCheckpoint(memoryDirectory(files), null)), reference: 'bit-tiny-200' };
}
