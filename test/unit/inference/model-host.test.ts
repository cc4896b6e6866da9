import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startPortableDigest } from '../../../model-store/digest.ts';
import { modelFileKey } from '../../../model-store/layout.ts';
import { type Manifest, parseManifest } from '../../../model-store/manifest.ts';
import { MemoryObjectStore } from '../../../model-store/memory-object-store.ts';
import type { ObjectBody } from '../../../model-store/object-store.ts';
import { publishVersion } from '../../../model-store/publish.ts';
import { moveAlias } from '../../../model-store/versions.ts';
import { ensureDefaultModel } from '../../../scripts/cli/default-model.ts';
import { compileWasm } from '../../../scripts/cli/local-model.ts';
import { readEngineChoice } from '../../../worker/config.ts';
import { DEFAULT_LIMITS } from '../../../worker/imaging/limits.ts';
import { Classifier } from '../../../worker/inference/classifier.ts';
import { Executor } from '../../../worker/inference/engine/executor.ts';
import type { Tensor } from '../../../worker/inference/inference-session.ts';
import { MemoryBudget } from '../../../worker/inference/memory-budget.ts';
import {
  BASE_HEAP_BYTES,
  loadBytes,
  type SessionMemory,
  sessionMemory,
} from '../../../worker/inference/memory-plan.ts';
import { ModelHost } from '../../../worker/inference/model-host.ts';
import type { LoadedModel } from '../../../worker/inference/model-loader.ts';
import { type EngineChoice, prepareVersion } from '../../../worker/inference/prepare-variant.ts';
import { Readiness } from '../../../worker/inference/readiness.ts';
import type { WasmModules } from '../../../worker/inference/runtime.ts';
import { OrtSession } from '../../../worker/inference/session.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { readPhoto } from '../../support/photo.ts';

const ALIAS_MAX_AGE_MS = 1000;
const BUDGET_BYTES = 512 * 1024 * 1024;
const NOW = '2026-01-01T00:00:00Z';

/** A store that counts reads and fails on demand. */
class FaultyStore extends MemoryObjectStore {
  readonly reads: string[] = [];
  failing: RegExp | null = null;
  /** Never answered. */
  hanging: RegExp | null = null;
  /** Reads of weights wait for it: a bucket that is slow. */
  gate: Promise<void> = Promise.resolve();

  override async get(key: string): Promise<ObjectBody | null> {
    this.reads.push(key);
    if (this.hanging?.test(key)) await new Promise(() => {});
    if (key.endsWith('.bin')) await this.gate;
    if (this.failing?.test(key)) throw new Error('R2 answered 500');
    return super.get(key);
  }

  readsOf(file: string): number {
    return this.reads.filter((key) => key.endsWith(file)).length;
  }
}

let wasmModules: WasmModules;
let folder: string;
let manifest: Manifest;
let store: FaultyStore;
let clock: number;
let backgroundErrors: unknown[];
let host: ModelHost;
let budget: MemoryBudget;
let loads: string[];
let modelBytes = BUDGET_BYTES;
let engine = readEngineChoice(process.env);
let engineMemory: SessionMemory;
const pending: Promise<unknown>[] = [];
const waitUntil = (promise: Promise<unknown>): void => void pending.push(promise);

/** What the default model takes where `engine` runs it. */
function memory(): SessionMemory {
  return engine === 'onnxruntime' ? sessionMemory(manifest.variants[manifest.default_variant]!) : engineMemory;
}

function modelKey(version = manifest.version): string {
  return modelFileKey(manifest.name, version, manifest.variants[manifest.default_variant]!.model.path);
}

/** Publishes the default model's files as another version. */
async function publishAs(version: string): Promise<void> {
  const text = JSON.stringify({ ...manifest, version });
  await publishVersion(store, { manifest: text, read: (path) => readFile(join(folder, path)) });
}

function makeHost(): void {
  budget = new MemoryBudget({
    limitBytes: BUDGET_BYTES,
    baselineBytes: 0,
    maxLeases: 100,
    smallBytes: 0,
    maxWaiting: 100,
    maxWaitMs: 10_000,
    maxLeaseAgeMs: 60_000,
    heapBytes: () => host.committedHeapBytes,
    now: () => clock,
    after: (ms, call) => {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
  });
  host = new ModelHost({
    store,
    blobs: null,
    budget,
    modelBytes,
    onLoaded: (id) => loads.push(id),
    wasmModules,
    engine,
    aliasMaxAgeMs: ALIAS_MAX_AGE_MS,
    startDigest: startPortableDigest,
    now: () => clock,
    onBackgroundError: (error) => backgroundErrors.push(error),
  });
}

beforeAll(async () => {
  wasmModules = await compileWasm();
  folder = (await ensureDefaultModel()).directory;
  manifest = parseManifest(await readFile(join(folder, 'manifest.json'), 'utf8'));
  const { model } = manifest.variants[manifest.default_variant]!;
  engineMemory = (await prepareVersion(manifest, 'bit', () => readFile(join(folder, model.path)))).memory;
});

beforeEach(async () => {
  store = new FaultyStore();
  await publishAs('v1');
  await publishAs('v2');
  await moveAlias(store, manifest.name, 'latest', 'v1', NOW);
  store.reads.length = 0;
  clock = 0;
  backgroundErrors = [];
  loads = [];
  makeHost();
});

describe('loading', () => {
  it('reads nothing until a model is asked for, and each file once for ten concurrent first requests', async () => {
    expect(store.reads).toEqual([]);
    const models = await Promise.all(Array.from({ length: 10 }, () => host.get(manifest.name, 'latest', waitUntil)));
    expect(new Set(models).size).toBe(1);
    expect(store.readsOf(modelKey('v1'))).toBe(1);
  });

  it('hands the shared load to waitUntil, so that it outlives the request that began it', async () => {
    pending.length = 0;
    const load = host.get(manifest.name, 'latest', waitUntil);
    await load;
    expect(pending).toHaveLength(1);
  });

  it('from a slow bucket: requests wait for one read, readiness says so, and all are answered when it ends', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const readiness = new Readiness(host, { name: manifest.name, reference: 'latest' });
    let answered = 0;
    const waiting = Array.from({ length: 10 }, async () => {
      const model = await host.get(manifest.name, 'latest', waitUntil);
      answered++;
      return model;
    });
    expect(readiness.check(waitUntil)).toBeNull();
    await new Promise((done) => setTimeout(done, 50));
    expect(answered).toBe(0);
    expect(readiness.check(waitUntil)).toBeNull();
    expect(readiness.reason).toBe('the default model is loading');
    resolve();
    expect(new Set(await Promise.all(waiting)).size).toBe(1);
    await settle();
    expect(readiness.check(waitUntil)).toEqual({ name: manifest.name, version: 'v1' });
    expect(store.readsOf(modelKey('v1'))).toBe(1);
  });

  it('does not cache a failed load: 503 while the bucket fails, an answer once it does not', async () => {
    store.failing = /model\.onnx$/;
    await expect(host.get(manifest.name, 'latest', waitUntil)).rejects.toMatchObject({
      code: 'model_unavailable',
      details: { object: modelKey('v1') },
    });
    store.failing = null;
    expect((await host.get(manifest.name, 'latest', waitUntil)).manifest.version).toBe('v1');
  });

  it('refuses a file with another hash, naming object and hashes, and recovers once it is repaired', async () => {
    const good = await readFile(join(folder, manifest.variants[manifest.default_variant]!.model.path));
    const bad = Uint8Array.from(good);
    bad[bad.length >> 1]! ^= 1;
    await store.put(modelKey('v1'), bad);
    await expect(host.get(manifest.name, 'latest', waitUntil)).rejects.toMatchObject({
      code: 'model_corrupt',
      details: { object: modelKey('v1'), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    await store.put(modelKey('v1'), good);
    await expect(host.get(manifest.name, 'latest', waitUntil)).resolves.toBeDefined();
  });

  it('refuses a truncated file with both sizes', async () => {
    const good = await readFile(join(folder, manifest.variants[manifest.default_variant]!.model.path));
    await store.put(modelKey('v1'), good.subarray(0, 1000));
    await expect(host.get(manifest.name, 'latest', waitUntil)).rejects.toMatchObject({
      code: 'model_corrupt',
      details: { bytes: 1000, expected_bytes: good.length },
    });
  });

  it('answers 404 for a model, an alias or a version that is not there', async () => {
    await expect(host.get('nobody', 'latest', waitUntil)).rejects.toMatchObject({ code: 'model_not_found' });
    await expect(host.get(manifest.name, 'v9', waitUntil)).rejects.toMatchObject({ code: 'model_not_found' });
  });
});

/** Waits for the loads that go on behind a response. */
async function settle(): Promise<void> {
  await Promise.all(pending.splice(0));
}

function blankTensor(model: LoadedModel): Tensor {
  const shape = model.input.shape.map((size) => (typeof size === 'number' ? size : 1));
  return { type: 'float32', shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
}

describe('a moved alias', () => {
  async function versionNow(): Promise<string> {
    return (await host.get(manifest.name, 'latest', waitUntil)).manifest.version;
  }

  it('is believed until aliasMaxAgeMs; then the old version answers while the new one is loaded behind it', async () => {
    const old = await host.get(manifest.name, 'latest', waitUntil);
    await moveAlias(store, manifest.name, 'latest', 'v2', NOW);
    clock = ALIAS_MAX_AGE_MS - 1;
    expect(await versionNow()).toBe('v1');
    await settle();
    expect(await versionNow()).toBe('v1');
    clock = ALIAS_MAX_AGE_MS;
    expect(await versionNow()).toBe('v1');
    expect(old.session.released).toBe(false);
    await settle();
    expect(await versionNow()).toBe('v2');
    expect(old.session.released).toBe(true);
  });

  it('is waited for once the last look-up is twice that old', async () => {
    await versionNow();
    await moveAlias(store, manifest.name, 'latest', 'v2', NOW);
    clock = 2 * ALIAS_MAX_AGE_MS;
    expect(await versionNow()).toBe('v2');
  });

  it('to a version that cannot be loaded: the old one answers on, the reason is reported, the new one is tried again', async () => {
    await versionNow();
    await moveAlias(store, manifest.name, 'latest', 'v2', NOW);
    store.failing = /v2\/model\.onnx$/;
    clock = 2 * ALIAS_MAX_AGE_MS;
    expect(await versionNow()).toBe('v1');
    expect(backgroundErrors).toMatchObject([{ code: 'model_unavailable' }]);
    store.failing = null;
    clock = 4 * ALIAS_MAX_AGE_MS;
    expect(await versionNow()).toBe('v2');
  });

  it('under load: no request fails, each is answered by the one version or the other', async () => {
    await versionNow();
    const seen = new Set<string>();
    for (let move = 0; move < 6; move++) {
      await moveAlias(store, manifest.name, 'latest', move % 2 === 0 ? 'v2' : 'v1', NOW);
      // Half of the moves are seen behind a response, the other half by requests that wait.
      clock += move < 3 ? ALIAS_MAX_AGE_MS : 2 * ALIAS_MAX_AGE_MS;
      const requests = Array.from({ length: 8 }, async () => {
        const model = await host.get(manifest.name, 'latest', waitUntil);
        const tensor = blankTensor(model);
        expect(host.run(model, tensor, [model.variant.outputs[0]!.name]).size).toBe(1);
        return model.manifest.version;
      });
      for (const version of await Promise.all(requests)) seen.add(version);
      await settle();
    }
    expect([...seen].sort()).toEqual(['v1', 'v2']);
    expect(backgroundErrors).toEqual([]);
    expect(host.loadedModels).toHaveLength(1);
  });

  it('while the bucket does not answer at all: the loaded version answers on', async () => {
    await versionNow();
    store.failing = /./;
    clock = 2 * ALIAS_MAX_AGE_MS;
    expect(await versionNow()).toBe('v1');
    clock = 5 * ALIAS_MAX_AGE_MS;
    expect(await host.resolve(manifest.name, 'latest')).toBe('v1');
    expect((await host.loadRoom(manifest.name, 'latest'))()).toBe(0);
  });

  it('looks the alias up once for many requests', async () => {
    await versionNow();
    store.reads.length = 0;
    clock = ALIAS_MAX_AGE_MS;
    await Promise.all(Array.from({ length: 20 }, versionNow));
    await settle();
    expect(store.reads.filter((key) => key.startsWith('aliases/'))).toHaveLength(1);
  });
});

/** Makes hosts whose models `choice` runs. */
function useEngine(choice: EngineChoice): void {
  const before = engine;
  beforeAll(() => {
    engine = choice;
  });
  afterAll(() => {
    engine = before;
  });
}

describe.each(['bit', 'onnxruntime'] as const)('room for models in %s', (choice) => {
  useEngine(choice);
  afterEach(() => {
    modelBytes = BUDGET_BYTES;
  });

  /** A host with room for exactly `count` of the default model's sessions. */
  function roomFor(count: number): number {
    const { runtimeBytes, sessionBytes, marginBytes } = memory();
    const loading = runtimeBytes + loadBytes(memory(), sessionBytes);
    return Math.max(runtimeBytes + count * sessionBytes + marginBytes, loading);
  }

  it('refuses a model that can never fit, with the numbers', async () => {
    modelBytes = roomFor(1) - 1;
    makeHost();
    await expect(host.get(manifest.name, 'v1', waitUntil)).rejects.toMatchObject({
      code: 'model_too_large',
      details: { available_bytes: modelBytes, needed_bytes: modelBytes + 1 },
    });
  });

  it('releases the least recently used model for one that needs the room', async () => {
    await publishAs('v3');
    modelBytes = roomFor(2);
    makeHost();
    const first = await host.get(manifest.name, 'v1', waitUntil);
    const second = await host.get(manifest.name, 'v2', waitUntil);
    await host.get(manifest.name, 'v1', waitUntil);
    await host.get(manifest.name, 'v3', waitUntil);
    expect([first.session.released, second.session.released]).toEqual([false, true]);
  });

  it('moves an alias where only one version fits: the old one makes room, and comes back if the new one fails', async () => {
    modelBytes = roomFor(1);
    makeHost();
    await host.get(manifest.name, 'latest', waitUntil);
    await moveAlias(store, manifest.name, 'latest', 'v2', NOW);
    clock = 2 * ALIAS_MAX_AGE_MS;
    store.failing = /v2\/model\.onnx$/;
    expect((await host.get(manifest.name, 'latest', waitUntil)).manifest.version).toBe('v1');
    store.failing = null;
    clock = 4 * ALIAS_MAX_AGE_MS;
    expect((await host.get(manifest.name, 'latest', waitUntil)).manifest.version).toBe('v2');
    expect(host.loadedModels).toHaveLength(1);
  });
});

describe.each(['bit', 'onnxruntime'] as const)('the memory of a load in %s', (choice) => {
  useEngine(choice);
  const sizes = () => ({ heap: memory().sessionBytes, files: memory().transferBytes });

  it('is what loadRoom says until the load has it, and 0 from then on', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const room = await host.loadRoom(manifest.name, 'latest');
    expect(room()).toBeGreaterThanOrEqual(Math.max(sizes().heap, sizes().files));
    const { described, model } = host.open(manifest.name, 'latest', waitUntil);
    await described;
    expect(room()).toBe(0);
    expect(budget.leasedBytes).toBeGreaterThanOrEqual(sizes().files);
    expect(budget.growthBytes).toBe(sizes().heap);
    resolve();
    await model;
    expect(room()).toBe(0);
    expect([budget.leasedBytes, budget.growthBytes]).toEqual([0, 0]);
  });

  it('finds its room where bodies that wait for it have left it, though they took all else', async () => {
    const room = await host.loadRoom(manifest.name, 'latest');
    const body = await budget.acquire(budget.capacityBytes - room() - BASE_HEAP_BYTES, 'bodies', room);
    expect((await host.get(manifest.name, 'latest', waitUntil)).manifest.version).toBe('v1');
    body.release();
  });

  it('is given back where the load fails', async () => {
    store.failing = /weights\.bin$/;
    await expect(host.get(manifest.name, 'latest', waitUntil)).rejects.toMatchObject({ code: 'model_unavailable' });
    expect([budget.leasedBytes, budget.growthBytes]).toEqual([0, 0]);
  });

  it('is nothing where an alias has moved to a version that cannot be loaded: the old one answers', async () => {
    await host.get(manifest.name, 'latest', waitUntil);
    await moveAlias(store, manifest.name, 'latest', 'v2', NOW);
    clock = 2 * ALIAS_MAX_AGE_MS;
    store.failing = /v2\/manifest\.json$/;
    expect((await host.loadRoom(manifest.name, 'latest'))()).toBe(0);
    expect((await host.get(manifest.name, 'latest', waitUntil)).manifest.version).toBe('v1');
  });

  it('is not asked for a model that is not there, or can never fit', async () => {
    await expect(host.loadRoom('nobody', 'latest')).rejects.toMatchObject({ code: 'model_not_found' });
    modelBytes = memory().sessionBytes - 1;
    makeHost();
    modelBytes = BUDGET_BYTES;
    await expect(host.loadRoom(manifest.name, 'latest')).rejects.toMatchObject({ code: 'model_too_large' });
  });

  it('stays counted as heap: onnxruntime grows it with the first run, the engine has it when the session is made', async () => {
    await host.get(manifest.name, 'latest', waitUntil);
    expect(host.committedHeapBytes).toBe(memory().runtimeBytes + memory().sessionBytes);
    if (choice === 'bit') expect(host.heapBytes).toBe(host.committedHeapBytes);
    else expect(host.committedHeapBytes).toBeGreaterThan(host.heapBytes);
    expect(budget.usedBytes).toBe(host.committedHeapBytes);
  });
});

describe('a model that is on its way', () => {
  it('says what preprocessing needs before its weights are there', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const { described: describing, model } = host.open(manifest.name, 'latest', waitUntil);
    const described = await describing;
    expect(described.manifest.version).toBe('v1');
    expect(described.processor).toEqual(await folderProcessor());
    expect(host.loadedModels).toEqual([]);
    resolve();
    expect((await model).manifest.version).toBe('v1');
  });

  it('has an image decoded for it meanwhile, whose pixel values are leased until they have run', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const acquire = vi.spyOn(budget, 'acquire');
    const classifier = new Classifier({ host, budget, limits: DEFAULT_LIMITS, images: null, now: () => 0 });
    const reference = { name: manifest.name, reference: 'latest' };
    const answer = classifier.infer(readPhoto(), reference, ['logits'], {}, waitUntil);
    await expect.poll(() => acquire.mock.calls.map(([, what]) => what)).toContain('decoding the image');
    expect(host.loadedModels).toEqual([]);
    const load = loadBytes(memory(), budget.growthBytes);
    await expect.poll(() => budget.leasedBytes - load).toBe(3 * 64 * 64 * 4);
    resolve();
    expect((await answer).outputs.get('logits')?.shape).toEqual([1, manifest.num_labels]);
    expect(budget.leasedBytes).toBe(0);
  });

  it('is the old version after all where the new one fails behind its description', async () => {
    await host.get(manifest.name, 'latest', waitUntil);
    await moveAlias(store, manifest.name, 'latest', 'v2', NOW);
    clock = 2 * ALIAS_MAX_AGE_MS;
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    store.failing = /v2\/weights\.bin$/;
    const { described: describing, model } = host.open(manifest.name, 'latest', waitUntil);
    const described = await describing;
    resolve();
    expect([described.manifest.version, (await model).manifest.version]).toEqual(['v2', 'v1']);
  });
});

/** The processor as the version's own file says it. */
async function folderProcessor(): Promise<ProcessorConfig> {
  return parseProcessorConfig(JSON.parse(await readFile(join(folder, manifest.preprocessor.path), 'utf8')));
}

describe('a load that hangs', () => {
  it.each(['manifest.json', 'weights.bin', 'model.onnx', 'labels.json'])(
    'at %s is given up after a minute: its memory comes back, and the next load is not held up',
    async (file) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        store.hanging = new RegExp(`${file.replace('.', '\\.')}$`);
        const first = host.get(manifest.name, 'latest', waitUntil);
        const failed = expect(first).rejects.toMatchObject({ code: 'model_unavailable', retryAfterSeconds: 5 });
        await vi.waitFor(() => expect(store.readsOf(file)).toBe(1));
        await vi.advanceTimersByTimeAsync(60_000);
        await failed;
        expect([budget.leasedBytes, budget.growthBytes]).toEqual([0, 0]);
      } finally {
        vi.useRealTimers();
      }
      store.hanging = null;
      expect((await host.get(manifest.name, 'latest', waitUntil)).manifest.version).toBe('v1');
    },
  );
});

/** Makes the next run of a model trap. */
function poison({ session }: LoadedModel): void {
  const trap = (): never => {
    throw new WebAssembly.RuntimeError('unreachable');
  };
  if (session instanceof OrtSession) session.runtime.glue._OrtRun = trap;
  else vi.spyOn(Executor.prototype, 'run').mockImplementationOnce(trap);
}

describe.each(['bit', 'onnxruntime'] as const)('a model in %s that aborted', (choice) => {
  useEngine(choice);
  afterEach(() => void vi.restoreAllMocks());

  it('while another model is on its way: that one answers', async () => {
    const first = await host.get(manifest.name, 'v1', waitUntil);
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const second = host.get(manifest.name, 'v2', waitUntil);
    poison(first);
    expect(() => host.run(first, blankTensor(first), ['logits'])).toThrow(/aborted/);
    resolve();
    const model = await second;
    expect(model.session.abortReason).toBeNull();
    expect(host.run(model, blankTensor(model), ['logits']).size).toBe(1);
  });

  it('is replaced: the request at hand fails with a retryable error, the next one is answered', async () => {
    const model = await host.get(manifest.name, 'latest', waitUntil);
    const tensor = blankTensor(model);
    const output = model.variant.outputs[0]!.name;
    poison(model);
    expect(() => host.run(model, tensor, [output])).toThrow(
      expect.objectContaining({ code: 'inference_failed', retryAfterSeconds: 1 }),
    );
    expect(model.session.abortReason).toBe('unreachable');
    expect(() => model.session.run(new Map([[model.input.name, tensor]]), [output])).toThrow(/aborted|released/);
    const replaced = await host.get(manifest.name, 'latest', waitUntil);
    expect(replaced).not.toBe(model);
    expect(host.run(replaced, tensor, [output]).get(output)?.data.length).toBeGreaterThan(0);
  });
});

describe('models of the engine and of onnxruntime in one isolate', () => {
  useEngine('auto');
  afterEach(() => {
    modelBytes = BUDGET_BYTES;
  });

  /** The same network where the engine does not look for one: as the fp32 variant. */
  async function publishForOnnxRuntime(version: string): Promise<SessionMemory> {
    const variant = manifest.variants[manifest.default_variant]!;
    const text = JSON.stringify({ ...manifest, version, variants: { fp32: variant }, default_variant: 'fp32' });
    await publishVersion(store, { manifest: text, read: (path) => readFile(join(folder, path)) });
    return sessionMemory(variant);
  }

  it('start onnxruntime only for what the engine does not run', async () => {
    await publishForOnnxRuntime('v3');
    const started = vi.spyOn(WebAssembly, 'instantiate');
    const isStarted = (): boolean => started.mock.calls.some(([module]) => module === wasmModules.onnxruntime);
    makeHost();
    for (const version of ['v1', 'v2']) {
      const model = await host.get(manifest.name, version, waitUntil);
      expect(host.run(model, blankTensor(model), ['logits']).size).toBe(1);
    }
    expect(isStarted()).toBe(false);
    await host.get(manifest.name, 'v3', waitUntil);
    expect(isStarted()).toBe(true);
    started.mockRestore();
  });

  it.each([
    ['stay together where there is room for both', 0, false],
    ['make room for each other, and onnxruntime goes with its last model', 1, true],
  ])('%s', async (_what, missingBytes, isReleased) => {
    const { runtimeBytes, sessionBytes, marginBytes } = await publishForOnnxRuntime('v3');
    modelBytes = runtimeBytes + sessionBytes + marginBytes + engineMemory.sessionBytes - missingBytes;
    makeHost();
    const other = await host.get(manifest.name, 'v3', waitUntil);
    expect([other.engine, host.heapBytes]).toEqual(['onnxruntime', expect.any(Number)]);
    const ours = await host.get(manifest.name, 'v1', waitUntil);
    expect([ours.engine, other.session.released]).toEqual(['bit', isReleased]);
    expect(host.heapBytes === engineMemory.sessionBytes).toBe(isReleased);
    const again = await host.get(manifest.name, 'v3', waitUntil);
    expect([again === other, ours.session.released]).toEqual([!isReleased, isReleased]);
    expect(host.run(again, blankTensor(again), ['logits'])).toEqual(
      host.run(ours.session.released ? again : ours, blankTensor(again), ['logits']),
    );
  });
});
