import { env } from 'cloudflare:test';
import { beforeAll, expect, it } from 'vitest';
import type { Manifest } from '../../model-store/manifest.ts';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { DEFAULT_LIMITS } from '../../worker/imaging/limits.ts';
import { Classifier } from '../../worker/inference/classifier.ts';
import { MemoryBudget } from '../../worker/inference/memory-budget.ts';
import { ModelHost } from '../../worker/inference/model-host.ts';
import { startStreamDigest } from '../../worker/inference/stream-digest.ts';
import { wasmModules } from '../../worker/inference/wasm-modules.ts';
import { readFixture, seedDefaultModel } from './support/seed.ts';

const BUDGET_BYTES = 104 * 1024 * 1024;
/** No address of the heap. */
const WILD_POINTER = 0xffff_fff0;

let manifest: Manifest;

beforeAll(async () => {
  manifest = await seedDefaultModel();
});

function makeHost(): { host: ModelHost; classifier: Classifier; budget: MemoryBudget } {
  const budget = new MemoryBudget({
    limitBytes: BUDGET_BYTES,
    baselineBytes: 0,
    maxLeases: 10,
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
    aliasMaxAgeMs: 20_000,
    startDigest: startStreamDigest,
    now: () => Date.now(),
    onBackgroundError() {},
    onLoaded() {},
  });
  const classifier = new Classifier({ host, budget, limits: DEFAULT_LIMITS, now: () => performance.now() });
  return { host, classifier, budget };
}

it('a WASM trap in workerd: the request at hand gets a retryable error, the next one is answered by a new runtime', async () => {
  const { host, classifier, budget } = makeHost();
  const photo = await readFixture('photo.png');
  const reference = { name: manifest.name, reference: 'latest' };
  const waitUntil = (): void => {};
  const classify = () => classifier.classify(photo, reference, { topK: 1, functionToApply: 'softmax' }, waitUntil);
  const expected = (await classify()).predictions;
  const poisoned = await host.get(reference.name, reference.reference, waitUntil);
  const { glue } = poisoned.session.runtime;
  const run = glue._OrtRun;
  glue._OrtRun = (_session, ...rest) => run(WILD_POINTER, ...rest);
  await expect(classify()).rejects.toMatchObject({ code: 'inference_failed', retryAfterSeconds: 1 });
  expect(poisoned.session.runtime.abortReason).toMatch(/out of bounds/);
  expect((await classify()).predictions).toEqual(expected);
  expect(budget.leasedBytes).toBe(0);
});
