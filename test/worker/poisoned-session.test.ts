import { env } from 'cloudflare:test';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { Manifest } from '../../model-store/manifest.ts';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { DEFAULT_LIMITS } from '../../worker/imaging/limits.ts';
import { Classifier } from '../../worker/inference/classifier.ts';
import { Executor } from '../../worker/inference/engine/executor.ts';
import { MemoryBudget } from '../../worker/inference/memory-budget.ts';
import { ModelHost } from '../../worker/inference/model-host.ts';
import type { EngineChoice } from '../../worker/inference/prepare-variant.ts';
import { OrtSession } from '../../worker/inference/session.ts';
import { startStreamDigest } from '../../worker/inference/stream-digest.ts';
import { wasmModules } from '../../worker/inference/wasm-modules.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const BUDGET_BYTES = 104 * 1024 * 1024;
/** No address of the heap. */
const WILD_POINTER = 0xffff_fff0;

let manifest: Manifest;

beforeAll(async () => {
  manifest = await seedDefaultModel();
});

function makeHost(engine: EngineChoice): { host: ModelHost; classifier: Classifier; budget: MemoryBudget } {
  const budget = new MemoryBudget({
    limitBytes: BUDGET_BYTES,
    baselineBytes: 0,
    maxLeases: 10,
    smallBytes: 0,
    maxWaiting: 10,
    maxWaitMs: 1000,
    maxLeaseAgeMs: 60_000,
    heapBytes: () => host.heapBytes,
    now: () => Date.now(),
    after(ms, call) {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
  });
  const host: ModelHost = new ModelHost({
    store: new R2ObjectStore(env.MODELS),
    blobs: null,
    budget,
    modelBytes: BUDGET_BYTES,
    wasmModules,
    engine,
    aliasMaxAgeMs: 20_000,
    startDigest: startStreamDigest,
    now: () => Date.now(),
    onBackgroundError() {},
    onLoaded() {},
  });
  const classifier = new Classifier({
    host,
    budget,
    limits: DEFAULT_LIMITS,
    images: null,
    now: () => performance.now(),
  });
  return { host, classifier, budget };
}

afterEach(() => void vi.restoreAllMocks());

it.each(['bit', 'onnxruntime'] as const)(
  'a WASM trap in workerd, in %s: the request at hand gets a retryable error, the next one is answered by a new instance',
  async (engine) => {
    const { host, classifier, budget } = makeHost(engine);
    const photo = await readFixture('photo.png');
    const reference = { name: manifest.name, reference: 'latest' };
    const waitUntil = (): void => {};
    const classify = () => classifier.classify(photo, reference, { topK: 1, functionToApply: 'softmax' }, waitUntil);
    const expected = (await classify()).predictions;
    const { session } = await host.get(reference.name, reference.reference, waitUntil);
    if (session instanceof OrtSession) {
      const { glue } = session.runtime;
      const run = glue._OrtRun;
      glue._OrtRun = (_session, ...rest) => run(WILD_POINTER, ...rest);
    } else {
      const { run } = Executor.prototype;
      vi.spyOn(Executor.prototype, 'run').mockImplementationOnce(function (this: Executor, index) {
        // A real trap would need a kernel with a wrong address; what follows from one is the same.
        run.call(this, index);
        throw new WebAssembly.RuntimeError('memory access out of bounds');
      });
    }
    await expect(classify()).rejects.toMatchObject({ code: 'inference_failed', retryAfterSeconds: 1 });
    expect(session.abortReason).toMatch(/out of bounds/);
    expect((await classify()).predictions).toEqual(expected);
    expect(budget.leasedBytes).toBe(0);
  },
);
