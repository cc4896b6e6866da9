/** Every error code as the consumers of queues understand it: what is no fault of the image is never decided. */
import { createExecutionContext, createMessageBatch, env, getQueueResult, runInDurableObject } from 'cloudflare:test';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { AppError, type ErrorCode, FetchError } from '../../../worker/errors.ts';
import { readUrlPolicy } from '../../../worker/fetch/settings.ts';
import { ImageReader } from '../../../worker/images/image-reader.ts';
import { answerItem, type Engine } from '../../../worker/jobs/answer-item.ts';
import type { JobSpecification } from '../../../worker/jobs/records.ts';
import { consumeModeration } from '../../../worker/moderation/consumer.ts';
import type { ModerationLedger, ModerationMessage } from '../../../worker/moderation/ledger/moderation-ledger.ts';
import { publishPolicy } from '../../../worker/moderation/policy/store.ts';
import { ModerationService } from '../../../worker/moderation/service.ts';
import { readModerationSettings } from '../../../worker/moderation/settings.ts';
import { isRetryable, PROBLEMS } from '../../../worker/problem.ts';

const SOURCE = 'hub';
const BUCKET = 'bit-edge-uploads';
const KEY = 'incoming/blame.png';
const CODES = Object.keys(PROBLEMS) as ErrorCode[];

let failure: Error;
let service: ModerationService;
let number = 0;

beforeAll(async () => {
  const models = new R2ObjectStore(env.MODELS);
  const policy = {
    schema_version: 1,
    name: 'lenient',
    version: '1',
    model: { name: 'nobody' },
    categories: [{ name: 'any', labels: ['any'], thresholds: { block: 0.5 } }],
    on_error: 'allow',
  };
  await publishPolicy(models, JSON.stringify(policy), 'latest', '2026-01-01T00:00:00Z');
  await env.UPLOADS.put(KEY, 'an image');
  const urlPolicy = readUrlPolicy({ ...env });
  const settings = readModerationSettings({ ...env }, urlPolicy);
  const images = new ImageReader({
    buckets: settings.buckets,
    bindings: { ...env },
    urlPolicy,
    fetch: () => Promise.reject(failure),
    memory: { maxBytes: 1024, acquire: async () => () => {} },
  });
  service = new ModerationService({
    settings,
    urlPolicy,
    classifier: { infer: () => Promise.reject(failure) },
    heads: { find: async () => null, load: () => Promise.reject(failure) },
    models,
    ledgers: env.MODERATION_LEDGER,
    bindings: { ...env },
    images,
    aliasMaxAgeMs: 0,
    now: () => Date.now(),
  });
  vi.spyOn(console, 'error').mockImplementation(() => {});
});

/** Accepts an event that no other consumer hears of, lets the consumer fail on it, and gives what came of it. */
async function consumeFailing(error: Error, times = 1) {
  failure = error;
  const event = `evt_${SOURCE}_${String(number++).padStart(32, '0')}`;
  const ledger = service.ledger(SOURCE);
  const item = { eventId: event, reference: 'r', policy: 'lenient', callbackUrl: null, metadata: null };
  await runInDurableObject<ModerationLedger, void>(ledger, async (instance) => {
    const bindings: { MODERATION_QUEUE: (typeof env)['MODERATION_QUEUE'] } = Reflect.get(instance, 'env');
    const metadata = { metrics: { backlogCount: 0, backlogBytes: 0 } };
    const send = vi.spyOn(bindings.MODERATION_QUEUE, 'sendBatch').mockResolvedValue({ metadata });
    const image = { bucket: BUCKET, key: KEY, etag: null };
    await instance.accept(SOURCE, { id: event, idIsSigned: true, bodySha256: event, items: [{ ...item, image }] });
    send.mockRestore();
  });
  let outcome = '';
  for (let attempt = 1; attempt <= times; attempt++) {
    const body: ModerationMessage = { source: SOURCE, event };
    const message = { id: 'm', timestamp: new Date(), attempts: 20, body };
    const batch = createMessageBatch<ModerationMessage>('bit-edge-moderation', [message]);
    await consumeModeration(batch, service, () => {});
    const { retryMessages } = await getQueueResult(batch, createExecutionContext());
    outcome = retryMessages.length > 0 ? 'retried' : 'acknowledged';
  }
  const { state, verdict, failure: noted } = (await ledger.event(event))!;
  return { outcome, state, verdict, failure: noted?.code ?? null };
}

/** What becomes of a job's item whose inference fails. */
async function itemStatus(error: Error): Promise<string> {
  const engine: Engine = { name: 'wasm', concurrency: 1, infer: () => Promise.reject(error) };
  const specification: JobSpecification = {
    id: 'job_0',
    source: { kind: 'stored', key: 'inputs', format: 'ndjson' },
    chunkItems: 1,
    callbackUrl: null,
    createdAtMs: 0,
    retentionMs: 0,
    task: 'classify',
    model: { name: 'nobody', version: '1' },
    parameters: { top_k: 1, function_to_apply: 'softmax' },
  };
  const item = { index: 0, input: { r2: { bucket: BUCKET, key: KEY } } };
  const services = { images: service.images, moderation: service };
  return (await answerItem(item, specification, engine, services, { run: (read) => read() }, () => false)).status;
}

describe('every code', () => {
  it.each(CODES)('%s: an image is decided, or tried again, as the table says', async (code) => {
    const error = new AppError(code, 'no');
    const { blame } = PROBLEMS[code];
    const later = blame === 'model' || blame === 'service';
    expect(isRetryable(error)).toBe(later);
    expect(await itemStatus(error)).toBe(later ? 'retry' : 'failed');
    // That the policy's model lacks an output is no fault of the item that names the policy.
    const noted = code === 'unsupported_output' ? 'invalid_policy' : code;
    expect(await consumeFailing(error)).toEqual(
      later || noted !== code
        ? { outcome: 'retried', state: 'accepted', verdict: null, failure: noted }
        : { outcome: 'acknowledged', state: 'unaddressed', verdict: 'allow', failure: null },
    );
  });
});

it('what is no AppError is a defect of ours: nothing is decided', async () => {
  const error = new TypeError('undefined is not a function');
  expect(await itemStatus(error)).toBe('retry');
  expect(await consumeFailing(error)).toEqual({
    outcome: 'retried',
    state: 'accepted',
    verdict: null,
    failure: 'internal_error',
  });
});

describe('an image whose server does not answer', () => {
  const error = new FetchError('fetch_failed', 'status 503', { details: { reason: 'status', status: 503 } });

  it('is tried four times, however often the model failed before', async () => {
    expect(await consumeFailing(error, 3)).toMatchObject({ state: 'accepted', failure: 'fetch_failed' });
    expect(await consumeFailing(error, 4)).toMatchObject({ state: 'unaddressed', verdict: 'allow' });
    expect(await itemStatus(error)).toBe('retry');
  });

  it('that says 404 is decided at once', async () => {
    const gone = new FetchError('fetch_failed', 'status 404', { details: { reason: 'status', status: 404 } });
    expect(await consumeFailing(gone)).toMatchObject({ state: 'unaddressed', verdict: 'allow' });
    expect(await itemStatus(gone)).toBe('failed');
  });
});
