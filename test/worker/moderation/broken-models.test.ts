/** Queued images under policies whose model is broken in storage: none gets a verdict; after the repair each gets one. */
import {
  createExecutionContext,
  createMessageBatch,
  env,
  getQueueResult,
  runDurableObjectAlarm,
  runInDurableObject,
  SELF,
} from 'cloudflare:test';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { aliasKey, manifestKey, modelFileKey } from '../../../model-store/layout.ts';
import { type Manifest, parseManifest } from '../../../model-store/manifest.ts';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { sha256Hex } from '../../../model-store/sha256.ts';
import worker from '../../../worker/index.ts';
import { publishPolicy } from '../../../worker/moderation/policy/store.ts';
import { RECEIVER_SECRET, SHOP_SECRET } from '../../support/moderation-bindings.ts';
import { readFixture } from '../../support/worker/seed.ts';

const VERSION = '1';
const LABELS = 'labels.json';

/** Puts a stored model into the state that the test is about, or back. */
interface Breakage {
  readonly what: string;
  readonly code: string;
  damage(published: Manifest): Promise<void>;
}

const breakages: readonly Breakage[] = [
  {
    what: 'a damaged weights file',
    code: 'model_corrupt',
    async damage({ name, variants, default_variant: variant }) {
      const key = modelFileKey(name, VERSION, variants[variant]!.weights!.path);
      const bytes = new Uint8Array(await (await env.MODELS.get(key))!.arrayBuffer());
      bytes[bytes.length >> 1]! ^= 1;
      await env.MODELS.put(key, bytes);
    },
  },
  {
    what: 'a weights file that is gone',
    code: 'model_corrupt',
    damage: ({ name, variants, default_variant: variant }) =>
      env.MODELS.delete(modelFileKey(name, VERSION, variants[variant]!.weights!.path)),
  },
  {
    what: 'a deleted version',
    code: 'model_not_found',
    damage: ({ name }) => env.MODELS.delete(manifestKey(name, VERSION)),
  },
  {
    what: 'a deleted model',
    code: 'model_not_found',
    async damage({ name }) {
      const { objects } = await env.MODELS.list({ prefix: modelFileKey(name, VERSION, '') });
      await env.MODELS.delete([...objects.map(({ key }) => key), aliasKey(name, 'latest')]);
    },
  },
  {
    what: 'a manifest that is of another model',
    code: 'invalid_manifest',
    damage: (published) => putManifest(published.name, { ...published, name: modelName(99) }),
  },
  {
    what: 'a manifest that claims half the labels',
    code: 'model_failed',
    async damage(published) {
      const labels = (JSON.parse(new TextDecoder().decode(await readFixture(`model/${LABELS}`))) as string[]).slice(
        100,
      );
      const bytes = new TextEncoder().encode(JSON.stringify(labels));
      await env.MODELS.put(modelFileKey(published.name, VERSION, LABELS), bytes);
      const reference = { path: LABELS, bytes: bytes.byteLength, sha256: await sha256Hex(bytes) };
      await putManifest(published.name, { ...published, num_labels: labels.length, labels: reference });
    },
  },
  {
    what: 'a manifest that names a graph input which is not there',
    code: 'model_corrupt',
    async damage(published) {
      const { default_variant: name } = published;
      const variant = published.variants[name]!;
      const inputs = variant.inputs.map((input) => ({ ...input, name: 'elsewhere' }));
      const variants = { ...published.variants, [name]: { ...variant, inputs } };
      await putManifest(published.name, { ...published, variants });
    },
  },
  {
    what: 'a manifest that is no JSON',
    code: 'invalid_manifest',
    damage: async ({ name }) => void (await env.MODELS.put(manifestKey(name, VERSION), '{')),
  },
];

let manifest: Manifest;
let label: string;
let photo: Uint8Array<ArrayBuffer>;
/** Events that the ledger has put on the queue; the tests deliver them. */
let queued: string[];
let callbacks: { id: string; type: string; verdict: string }[];

beforeAll(async () => {
  manifest = parseManifest(new TextDecoder().decode(await readFixture('model/manifest.json')));
  photo = await readFixture('photo.png');
  label = (JSON.parse(new TextDecoder().decode(await readFixture(`model/${LABELS}`))) as string[]).at(-1)!;
});

beforeEach(async () => {
  callbacks = [];
  queued = [];
  await runInDurableObject(ledger(), (instance) => {
    const bindings: { MODERATION_QUEUE: (typeof env)['MODERATION_QUEUE'] } = Reflect.get(instance, 'env');
    vi.spyOn(bindings.MODERATION_QUEUE, 'sendBatch').mockImplementation(async (batch) => {
      queued.push(...[...batch].map(({ body }) => z.object({ event: z.string() }).parse(body).event));
      return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
    });
  });
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    if (request.url.startsWith('https://images.example.com/')) {
      return new Response(photo, { headers: { 'content-type': 'image/png' } });
    }
    const headers = Object.fromEntries(request.headers);
    const payload = new Webhook(RECEIVER_SECRET).verify(await request.text(), headers) as {
      type: string;
      data: { event_id: string; decision: { verdict: string } };
    };
    callbacks.push({ id: payload.data.event_id, type: payload.type, verdict: payload.data.decision.verdict });
    return new Response(null);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function ledger() {
  return env.MODERATION_LEDGER.get(env.MODERATION_LEDGER.idFromName('shop'));
}

function modelName(index: number): string {
  return `broken-${index}`;
}

async function putManifest(name: string, value: Manifest): Promise<void> {
  await env.MODELS.put(manifestKey(name, VERSION), JSON.stringify(value));
}

/** The default model under another name. Each has weights of its own, so that none is answered from another one's cache entry. */
async function describeModel(index: number): Promise<{ described: Manifest; weights: Uint8Array<ArrayBuffer> }> {
  const { default_variant: variant, variants } = manifest;
  const file = variants[variant]!.weights!;
  const weights = new Uint8Array([...(await readFixture(`model/${file.path}`)), ...new Uint8Array(index + 1)]);
  const reference = { path: file.path, bytes: weights.byteLength, sha256: await sha256Hex(weights) };
  const changed = { ...variants, [variant]: { ...variants[variant]!, weights: reference } };
  return { described: { ...manifest, name: modelName(index), version: VERSION, variants: changed }, weights };
}

/** Publishes a model; also what repairs it. */
async function publish(index: number): Promise<Manifest> {
  const { described, weights } = await describeModel(index);
  const { name, labels, preprocessor, variants, default_variant: variant } = described;
  const { model, weights: weightsFile } = variants[variant]!;
  for (const { path } of [model, labels, preprocessor]) {
    await env.MODELS.put(modelFileKey(name, VERSION, path), await readFixture(`model/${path}`));
  }
  await env.MODELS.put(modelFileKey(name, VERSION, weightsFile!.path), weights);
  await putManifest(name, described);
  const alias = { version: VERSION, updated_at: '2026-01-01T00:00:00Z', history: [] };
  await env.MODELS.put(aliasKey(name, 'latest'), JSON.stringify(alias));
  return described;
}

async function api(path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const response = await SELF.fetch(`http://localhost${path}`, init);
  return { status: response.status, body: await response.json() };
}

async function send(items: readonly Record<string, unknown>[]): Promise<string[]> {
  const text = JSON.stringify(items);
  const now = new Date();
  const response = await SELF.fetch('http://localhost/v1/webhooks/images/shop', {
    method: 'POST',
    body: text,
    headers: {
      'webhook-id': 'msg_broken',
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(SHOP_SECRET).sign('msg_broken', now, text),
    },
  });
  return ((await response.json()) as { events: { id: string }[] }).events.map(({ id }) => id);
}

/** Delivers events from a queue, as the platform does. @returns ids of the messages that are to come again. */
async function deliver(queue: string, events: readonly string[], attempts: number): Promise<string[]> {
  const messages = events.map((event) => ({
    id: event,
    timestamp: new Date(),
    attempts,
    body: { source: 'shop', event },
  }));
  const batch = createMessageBatch(queue, messages);
  const context = createExecutionContext();
  await worker.queue(batch, env, context);
  return (await getQueueResult(batch, context)).retryMessages.map(({ msgId }) => msgId);
}

describe('images whose policy names a broken model', () => {
  it('get no verdict, whatever the policy says of errors; after the repair each is judged once', {
    timeout: 90_000,
  }, async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const store = new R2ObjectStore(env.MODELS);
    for (const [index, { damage }] of breakages.entries()) {
      const policy = {
        schema_version: 1,
        name: modelName(index),
        version: '1',
        model: { name: modelName(index) },
        categories: [{ name: 'last', labels: [label], thresholds: { review: 1e-9, block: 0.9 } }],
        on_error: 'allow',
      };
      await publishPolicy(store, JSON.stringify(policy), 'latest', '2026-01-01T00:00:00Z');
      await damage(await publish(index));
    }
    const events = await send(
      breakages.map((_, index) => ({
        id: `${index}`,
        url: 'https://images.example.com/1.png',
        policy: modelName(index),
      })),
    );

    expect(queued.splice(0)).toEqual(events);
    expect(await deliver('bit-edge-moderation', events, 1)).toHaveLength(events.length);
    // A model that is loaded and fails is believed in for as long as an alias is.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    // The last delivery that the queue makes, then the dead-letter queue.
    expect((await deliver('bit-edge-moderation', events, 11)).sort()).toEqual([...events].sort());
    vi.useRealTimers();
    for (const [index, { code }] of breakages.entries()) {
      const { body } = await api(`/v1/webhooks/events/${events[index]}`);
      expect(body).toMatchObject({ item_id: `${index}`, state: 'accepted', failure: { code } });
    }
    expect(await deliver('bit-edge-moderation-dead', events, 1)).toEqual([]);
    const listed = (await api('/v1/webhooks/events?source=shop&state=undecided')).body.events as { id: string }[];
    expect(listed.map(({ id }) => id).sort()).toEqual([...events].sort());
    expect(listed).toEqual(
      events.map(() => expect.objectContaining({ verdict: null, decision_id: null, attempts: 0 })),
    );
    expect((await api('/v1/webhooks/stats?source=shop')).body).toEqual({
      sources: { shop: { undecided: events.length } },
    });
    expect((await api('/v1/decisions?source=shop')).body.decisions).toEqual([]);
    expect((await api(`/v1/webhooks/events/${events[0]}/replay`, {})).status).toBe(409);
    expect(callbacks).toEqual([]);

    for (const index of breakages.keys()) await publish(index);
    expect(await api('/v1/webhooks/rejudge', { source: 'shop' })).toEqual({
      status: 202,
      body: { rejudged: events.length },
    });
    await runDurableObjectAlarm(ledger());
    expect(queued.sort()).toEqual([...events].sort());
    expect(await deliver('bit-edge-moderation', events, 1)).toEqual([]);
    await vi.waitUntil(async () => callbacks.length >= events.length, { timeout: 10_000, interval: 50 });
    // Late copies of messages, as queues may deliver them.
    expect(await deliver('bit-edge-moderation', events, 12)).toEqual([]);
    expect(await deliver('bit-edge-moderation-dead', events, 1)).toEqual([]);
    expect(await api('/v1/webhooks/rejudge', { source: 'shop' })).toMatchObject({ body: { rejudged: 0 } });
    expect(callbacks.map(({ id }) => id).sort()).toEqual([...events].sort());
    expect(new Set(callbacks.map(({ type, verdict }) => `${type} ${verdict}`))).toEqual(
      new Set(['moderation.completed review']),
    );
    const decisions = (await api('/v1/decisions?source=shop')).body.decisions as { item_id: string }[];
    expect(decisions.map(({ item_id: id }) => id).sort()).toEqual(breakages.map((_, index) => `${index}`));
    await vi.waitUntil(
      async () => {
        const { shop } = (await api('/v1/webhooks/stats?source=shop')).body.sources as { shop: Record<string, number> };
        return shop.delivered === events.length;
      },
      { timeout: 5_000, interval: 50 },
    );
  });
});

describe('POST /v1/webhooks/rejudge', () => {
  it.each([
    ['an unknown source', { source: 'nobody' }, 400, 'invalid_parameter'],
    ['no source', {}, 400, 'invalid_parameter'],
    ['an unknown member', { source: 'shop', state: 'undecided' }, 400, 'unknown_parameter'],
  ])('refuses %s', async (_, body, status, code) => {
    expect(await api('/v1/webhooks/rejudge', body)).toMatchObject({ status, body: { code } });
  });
});
