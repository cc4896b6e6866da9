/**
 * `npm run bench -- runtime`: the worker in workerd, as it is deployed. Cold start, load, memory, and inference side by side
 * with fp32 and with onnxruntime-node; for the default model and BiT-R50x1 with random weights at 224 and 448 px. docs/bench/runtime.md has
 * the flags.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { variantFiles } from '../../model-store/build/assemble.ts';
import { ConfigurationError } from '../../worker/errors.ts';
import { encodePhoto, makePhoto } from './photo.ts';
import { measureColdPair, measureColdStarts } from './runtime/cold-start.ts';
import { measureCreation } from './runtime/creation.ts';
import { deploy } from './runtime/deployment.ts';
import { figuresPage, figuresTables } from './runtime/figures.ts';
import { measureInference } from './runtime/inference.ts';
import { type LoadResult, measureLoad } from './runtime/load.ts';
import { describeMachine } from './runtime/machine.ts';
import { type MemoryResult, measureMemory } from './runtime/memory.ts';
import { MODELS, publishBenchModels } from './runtime/models.ts';
import { runtimeSvg } from './runtime/plot.ts';
import { measureProducts } from './runtime/products.ts';
import { type RuntimeParts, type RuntimeResult, rounded, summarize } from './runtime/result.ts';
import type { BenchOptions, BenchSuite } from './suite.ts';

const DOCS_FOLDER = fileURLToPath(new URL('../../docs/bench/', import.meta.url));
const MIXED_REQUESTS = 200;
const WARM_REQUESTS = 20;
const COLD_STARTS = 3;
const LOADS = [
  { concurrency: 1, requests: 500 },
  { concurrency: 4, requests: 500 },
  { concurrency: 16, requests: 1000 },
] as const;

/** What `--only` chooses from: every phase whose name contains its text, or one of its texts between commas. */
const PHASES = [
  'cold start',
  'cold r50',
  'cold creation',
  'load',
  'memory default',
  'memory r50',
  'memory r50 448',
  'memory r101 448',
  'inference',
  'inference products',
] as const;
type Phase = (typeof PHASES)[number];

/** The suite. */
export const RUNTIME_SUITE: BenchSuite = {
  async run(options) {
    const texts = options.only.split(',');
    const phases = PHASES.filter((phase) => texts.some((text) => phase.includes(text.trim())));
    if (phases.length === 0) {
      throw new ConfigurationError(`--only ${options.only}: no phase has that in its name: ${PHASES.join(', ')}`);
    }
    const folder = await mkdtemp(join(tmpdir(), 'bit-edge-bench-'));
    try {
      const result = summarize(await measure(folder, new Set(phases), options));
      options.print(figuresTables(result).join('\n\n'));
      // A part of the suite does not replace the figures of the whole, unless told where to.
      const out = options.out ?? (phases.length === PHASES.length ? DOCS_FOLDER : null);
      if (out !== null) await write(out, result);
      return { ...result };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measure(folder: string, phases: ReadonlySet<Phase>, options: BenchOptions): Promise<RuntimeParts> {
  const { runs, print } = options;
  const machine = describeMachine();
  const state = join(folder, 'state');
  const small = await encodePhoto(await makePhoto(500, 375), 'jpeg');
  const comparisons = [...phases].some((phase) => / r50|inference|creation/.test(phase)) || options.keep !== undefined;
  if (comparisons) print('building BiT-R50x1 with random weights, int8 and fp32');
  const { defaultInt8, r50Int8File, r50QdqFile } = await publishBenchModels({
    folder: options.keep ?? join(folder, 'models'),
    statePath: state,
    photo: small,
    comparisons,
    r101: phases.has('memory r101 448'),
    qdqFile: options.qdq ?? null,
  });
  const weightsFile = variantFiles('int8', 'int8').weights;

  const failures: Record<string, string> = {};
  // A phase that fails does not take the others' figures with it.
  const attempt = async <T>(phase: Phase, work: () => Promise<T>): Promise<T | null> => {
    if (!phases.has(phase)) return null;
    print(`measuring: ${phase}`);
    try {
      return await work();
    } catch (error) {
      failures[phase] = error instanceof Error ? error.message : String(error);
      print(`${phase} FAILED: ${failures[phase]}`);
      process.exitCode = 1;
      return null;
    }
  };
  const mixed = [...phases].some((phase) => phase.startsWith('memory')) ? await mixedPhotos(small) : [];
  return {
    machine,
    failures,
    coldStarts: await attempt('cold start', () => measureColdStarts(state, small, COLD_STARTS)),
    coldR50: await attempt('cold r50', () => measureColdPair(state, MODELS.r50Int8, small, COLD_STARTS)),
    creation: await attempt('cold creation', () => measureCreation(r50Int8File!, weightsFile)),
    load: await attempt('load', () => measureLoads(state, small)),
    memoryDefault: await attempt('memory default', () => measureModelMemory(state, '/v1/classify', mixed, {})),
    memoryR50: await attempt('memory r50', () => {
      return measureModelMemory(state, `/v1/classify?model=${MODELS.r50Int8}`, mixed, { MAX_WAIT_MS: '60000' });
    }),
    memoryR50At448: await attempt('memory r50 448', () => {
      return measureModelMemory(state, `/v1/classify?model=${MODELS.r50Int8At448}`, mixed, { MAX_WAIT_MS: '60000' });
    }),
    memoryR101At448: await attempt('memory r101 448', () => {
      return measureModelMemory(state, `/v1/classify?model=${MODELS.r101Int8At448}`, mixed, { MAX_WAIT_MS: '60000' });
    }),
    inference: await attempt('inference', () => {
      const files = { r50Int8File: r50Int8File!, r50QdqFile: r50QdqFile! };
      return measureInference({ state, image: small, defaultInt8, ...files, runs, print });
    }),
    products: await attempt('inference products', () => {
      return measureProducts(r50Int8File!, join(dirname(r50Int8File!), weightsFile));
    }),
  };
}

async function mixedPhotos(small: Uint8Array): Promise<readonly Uint8Array[]> {
  const large = await makePhoto(4032, 3024);
  const baseline = await encodePhoto(large, 'jpeg');
  const progressive = await encodePhoto(large, 'jpeg-progressive');
  const webp = await encodePhoto(await makePhoto(1280, 960), 'webp');
  return [baseline, small, progressive, baseline, webp];
}

async function measureLoads(state: string, image: Uint8Array): Promise<NonNullable<RuntimeParts['load']>> {
  const deployment = await deploy(state);
  try {
    await measureLoad(deployment.url, '/v1/classify', image, 1, WARM_REQUESTS);
    const before = await deployment.cpuMs();
    const loads: LoadResult[] = [];
    for (const { concurrency, requests } of LOADS) {
      loads.push(await measureLoad(deployment.url, '/v1/classify', image, concurrency, requests));
    }
    const after = await deployment.cpuMs();
    const total = loads.reduce((sum, { requests }) => sum + requests, 0);
    return { loads, cpuMsPerRequest: before === null || after === null ? null : (after - before) / total };
  } finally {
    await deployment.stop();
  }
}

async function measureModelMemory(
  state: string,
  path: string,
  images: readonly Uint8Array[],
  variables: Readonly<Record<string, string>>,
): Promise<MemoryResult> {
  const deployment = await deploy(state, variables);
  try {
    return await measureMemory(deployment, path, images, MIXED_REQUESTS, WARM_REQUESTS);
  } finally {
    await deployment.stop();
  }
}

/** Writes runtime.json, runtime.svg and runtime-figures.md. */
async function write(folder: string, result: RuntimeResult): Promise<void> {
  const json = JSON.stringify(result, (_, value) => (typeof value === 'number' ? rounded(value) : value), 2);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'runtime.json'), `${json}\n`);
  await writeFile(join(folder, 'runtime.svg'), runtimeSvg(result));
  await writeFile(join(folder, 'runtime-figures.md'), figuresPage(result));
}
