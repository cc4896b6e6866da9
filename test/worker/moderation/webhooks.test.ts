/** A webhook from its signature to its callback, and uploads from their event to their effects, with the real model. */
import {
  createExecutionContext,
  createMessageBatch,
  env,
  getQueueResult,
  runDurableObjectAlarm,
  SELF,
} from 'cloudflare:test';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import worker from '../../../worker/index.ts';
import { publishPolicy } from '../../../worker/moderation/policy/store.ts';
import { signGithub } from '../../../worker/moderation/signatures/shared-secret.ts';
import {
  HUB_SECRET,
  RECEIVER_SECRET,
  RECEIVER_URL,
  SHOP_NEXT_SECRET,
  SHOP_RETIRED_SECRET,
  SHOP_SECRET,
} from '../../support/moderation-bindings.ts';
import { readFixture, seedDefaultModel } from '../../support/worker/seed.ts';

const IMAGE_URL = 'https://images.example.com/photo.png';

interface Callback {
  readonly url: string;
  readonly id: string;
  readonly payload: { type: string; data: Record<string, unknown> & { event_id: string; id: string } };
}

let photo: Uint8Array<ArrayBuffer>;
let callbacks: Callback[];
let imageResponse: () => Response;
let callbackStatus: number;
let counter = 0;

beforeAll(async () => {
  const { name } = await seedDefaultModel();
  photo = await readFixture('photo.png');
  const answer = await SELF.fetch('http://localhost/v1/classify?top_k=1', { method: 'POST', body: photo });
  const { predictions } = (await answer.json()) as { predictions: [{ label: string }] };
  const store = new R2ObjectStore(env.MODELS);
  const policy = {
    schema_version: 1,
    name: 'strict',
    version: '1',
    model: { name },
    categories: [{ name: 'animals', labels: [predictions[0].label], thresholds: { block: 0.001 } }],
    effects: {
      block: [{ type: 'quarantine', prefix: 'quarantine/' }, { type: 'write_decision' }, { type: 'tag' }],
    },
  };
  await publishPolicy(store, JSON.stringify(policy), 'latest', '2026-01-01T00:00:00Z');
});

beforeEach(() => {
  callbacks = [];
  callbackStatus = 200;
  imageResponse = () => new Response(photo, { headers: { 'content-type': 'image/png' } });
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    if (request.url.startsWith('https://images.example.com/')) return imageResponse();
    const text = await request.text();
    const headers = Object.fromEntries(request.headers);
    const payload = new Webhook(RECEIVER_SECRET).verify(text, headers) as Callback['payload'];
    callbacks.push({ url: request.url, id: headers['webhook-id']!, payload });
    return new Response(null, { status: callbackStatus });
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown> & { events: { id: string; item_id: string }[]; code?: string };
}

interface Sending {
  readonly path?: string;
  readonly secret?: string;
  readonly id?: string;
  readonly timestampMs?: number;
  /** What is sent where it is not what was signed. */
  readonly tampered?: string;
  readonly headers?: Record<string, string>;
}

async function send(body: unknown, options: Sending = {}): Promise<Answer> {
  const text = JSON.stringify(body);
  const id = options.id ?? `msg_${counter++}`;
  const timestamp = new Date(options.timestampMs ?? Date.now());
  const signature = new Webhook(options.secret ?? SHOP_SECRET).sign(id, timestamp, text);
  const response = await SELF.fetch(`http://localhost${options.path ?? '/v1/webhooks/images/shop'}`, {
    method: 'POST',
    body: options.tampered ?? text,
    headers: options.headers ?? {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
      'webhook-signature': signature,
    },
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** The callbacks of one event: others of earlier tests may come in between. */
function callbacksOf(id: string): Callback[] {
  return callbacks.filter((callback) => callback.id === id);
}

async function get(path: string): Promise<Record<string, unknown>> {
  return (await SELF.fetch(`http://localhost${path}`)).json();
}

async function post(path: string, body: unknown = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await SELF.fetch(`http://localhost${path}`, { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

/** Waits until an event has ended, and gives its log. */
function ended(id: string): Promise<Record<string, unknown>> {
  return vi.waitUntil(
    async () => {
      const event = await get(`/v1/webhooks/events/${id}`);
      return ['delivered', 'dead', 'disabled', 'unaddressed', 'undecided'].includes(String(event.state)) && event;
    },
    { timeout: 10_000, interval: 50 },
  );
}

describe('POST /v1/webhooks/images', () => {
  it('accepts, judges, and calls back with a signature that the reference package verifies', async () => {
    const { status, body } = await send({ id: 'image-1', url: IMAGE_URL, policy: 'strict', metadata: { user: 7 } });
    expect(status).toBe(202);
    const [{ id, item_id }] = body.events as [Answer['body']['events'][0]];
    expect(item_id).toBe('image-1');
    expect(await ended(id)).toMatchObject({
      state: 'delivered',
      verdict: 'block',
      attempts: 1,
      callback_url: RECEIVER_URL,
    });
    expect(callbacksOf(id)).toMatchObject([
      {
        url: RECEIVER_URL,
        id,
        payload: {
          type: 'moderation.completed',
          data: {
            event_id: id,
            id: 'image-1',
            metadata: { user: 7 },
            decision: { verdict: 'block', reason: 'animals', policy: { name: 'strict', version: '1' } },
          },
        },
      },
    ]);
    expect(callbacksOf(id)[0]!.payload.data).not.toHaveProperty('effects');
    const log = await get('/v1/decisions?source=shop&item_id=image-1');
    expect(log.decisions).toMatchObject([{ event_id: id, verdict: 'block' }]);
  });

  it('answers a second delivery the same, and does no second work', async () => {
    const item = { id: 'twice', url: IMAGE_URL, policy: 'strict' };
    const first = await send(item, { id: 'msg_twice' });
    const second = await send(item, { id: 'msg_twice', timestampMs: Date.now() + 1000 });
    expect(second.status).toBe(202);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('webhook-duplicate')).toBe('true');
    await ended(first.body.events[0]!.id);
    expect((await send(item, { id: 'msg_twice' })).body).toEqual(first.body);
    const events = (await get('/v1/webhooks/events?source=shop&limit=1000')).events as { item_id: string }[];
    expect(events.filter(({ item_id }) => item_id === 'twice')).toHaveLength(1);
    expect(callbacks.filter(({ payload }) => payload.data.id === 'twice')).toHaveLength(1);
  });

  it('takes a list, one callback an image', async () => {
    const { body } = await send(['a', 'b', 'c'].map((id) => ({ id, url: IMAGE_URL })));
    expect(body.events.map(({ item_id }) => item_id)).toEqual(['a', 'b', 'c']);
    for (const { id } of body.events) expect(await ended(id)).toMatchObject({ state: 'delivered' });
    expect(body.events.flatMap(({ id }) => callbacksOf(id)).map(({ payload }) => payload.data.id)).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it("accepts what a sender on Svix signs, under Svix's header names", async () => {
    const text = JSON.stringify({ ...item, id: 'svix' });
    const [id, at] = [`msg_${counter++}`, new Date()];
    const headers = {
      'svix-id': id,
      'svix-timestamp': String(Math.floor(at.getTime() / 1000)),
      'svix-signature': new SvixWebhook(SHOP_SECRET.slice('whsec_'.length)).sign(id, at, text),
    };
    const accepted = await send(JSON.parse(text), { headers });
    expect([accepted.status, accepted.body.message_id]).toEqual([202, id]);
  });

  it('accepts the secret that replaces the old one', async () => {
    expect((await send({ id: '1', url: IMAGE_URL }, { secret: SHOP_NEXT_SECRET })).status).toBe(202);
  });

  const item = { id: '1', url: IMAGE_URL };
  it.each([
    ['a tampered body', { tampered: '{"id":"2"}' }, 401, 'signature_invalid'],
    ['a foreign secret', { secret: RECEIVER_SECRET }, 401, 'signature_invalid'],
    ['an old timestamp', { timestampMs: Date.now() - 301_000 }, 400, 'timestamp_out_of_range'],
    ['a timestamp from the future', { timestampMs: Date.now() + 3_600_000 }, 400, 'timestamp_out_of_range'],
    ['a retired secret', { secret: SHOP_RETIRED_SECRET }, 403, 'unknown_secret'],
    ['a source without secrets', { path: '/v1/webhooks/images/nobody' }, 403, 'unknown_secret'],
    ['no source where there are several', { path: '/v1/webhooks/images' }, 403, 'unknown_secret'],
    ['no signature', { headers: {} }, 401, 'signature_missing'],
    ['a query', { path: '/v1/webhooks/images/shop?policy=lenient' }, 400, 'unknown_parameter'],
  ] as const)('refuses %s', async (_, options, status, code) => {
    const answer = await send(item, options);
    expect(answer).toMatchObject({ status, body: { code } });
  });

  it('refuses a replay: a known id with another body', async () => {
    expect((await send(item, { id: 'msg_replay' })).status).toBe(202);
    expect(await send({ ...item, id: '2' }, { id: 'msg_replay' })).toMatchObject({
      status: 409,
      body: { code: 'webhook_replayed' },
    });
  });

  it('refuses a body before it accepts any of it', async () => {
    const bad = await send([item, { id: '2', url: 'https://10.0.0.1/' }], { id: 'msg_bad' });
    expect(bad).toMatchObject({ status: 400, body: { code: 'url_not_allowed', field: '1.url' } });
    expect((await send(item, { id: 'msg_bad' })).status).toBe(202);
  });

  it('refuses a body over its limit', async () => {
    const response = await SELF.fetch('http://localhost/v1/webhooks/images/shop', {
      method: 'POST',
      body: new Uint8Array(1024 * 1024 + 1),
    });
    expect(response.status).toBe(413);
  });

  it('takes GitHub signatures, and knows a replay under a fresh id', async () => {
    const text = JSON.stringify({ id: `hub-${Date.now()}`, url: IMAGE_URL });
    const signature = await signGithub(new TextEncoder().encode(text), HUB_SECRET);
    const headers = (id: string) => ({ 'x-github-delivery': id, 'x-hub-signature-256': signature });
    const deliver = (id: string) =>
      SELF.fetch('http://localhost/v1/webhooks/images/hub', { method: 'POST', body: text, headers: headers(id) });
    const first = await deliver('delivery-1');
    expect(first.status).toBe(202);
    expect((await deliver('delivery-1')).status).toBe(202);
    expect((await deliver('delivery-2')).status).toBe(409);
    const { events } = (await first.json()) as Answer['body'];
    expect(await ended(events[0]!.id)).toMatchObject({ state: 'unaddressed', verdict: 'allow' });
  });
});

describe('API keys', () => {
  const paths = ['/v1/decisions', '/v1/webhooks/events', '/v1/webhooks/stats', '/v1/webhooks/endpoints'];
  it.each(paths)('guard GET %s away from localhost', async (path) => {
    const response = await SELF.fetch(`https://bit-edge.example.com${path}`);
    expect([401, 500]).toContain(response.status);
  });

  it.each([
    '/v1/moderate',
    '/v1/webhooks/replay',
    '/v1/webhooks/rejudge',
    '/v1/webhooks/endpoints/enable',
    '/v1/webhooks/events/x/replay',
  ])('guard POST %s away from localhost', async (path) => {
    const response = await SELF.fetch(`https://bit-edge.example.com${path}`, { method: 'POST', body: '{}' });
    expect([401, 500]).toContain(response.status);
  });

  it('are not asked of a webhook, whose signature is its key', async () => {
    const response = await SELF.fetch('https://bit-edge.example.com/v1/webhooks/images/shop', {
      method: 'POST',
      body: '{}',
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'signature_missing' });
  });
});

describe('images that cannot be judged', () => {
  it.each([
    [
      'are not an image',
      () => new Response('<html>', { headers: { 'content-type': 'image/png' } }),
      'unrecognized_image',
    ],
    ['are gone', () => new Response(null, { status: 404 }), 'fetch_failed'],
    ['are of another type', () => new Response('x', { headers: { 'content-type': 'text/html' } }), 'fetch_failed'],
  ])('because they %s end as moderation.failed with the verdict for errors', async (_, response, code) => {
    imageResponse = response;
    const { body } = await send({ id: 'broken', url: IMAGE_URL });
    await ended(body.events[0]!.id);
    expect(callbacksOf(body.events[0]!.id)).toMatchObject([
      {
        payload: {
          type: 'moderation.failed',
          data: { decision: { verdict: 'review', reason: 'error', error: { code } } },
        },
      },
    ]);
  });

  it('because their policy is unknown say so', async () => {
    const { body } = await send({ id: 'lost', url: IMAGE_URL, policy: 'nobody' });
    await ended(body.events[0]!.id);
    expect(callbacksOf(body.events[0]!.id)[0]!.payload.data).toMatchObject({
      decision: { error: { code: 'policy_not_found' } },
    });
  });

  it('now are tried again, and are undecided once the queue has given up', async () => {
    imageResponse = () => new Response(null, { status: 503 });
    const ledger = env.MODERATION_LEDGER.get(env.MODERATION_LEDGER.idFromName('shop'));
    const { body } = await send({ id: 'later', url: IMAGE_URL });
    const message = { source: 'shop', event: body.events[0]!.id };

    const batch = createMessageBatch('bit-edge-moderation', [
      { id: 'm', timestamp: new Date(), attempts: 3, body: message },
    ]);
    const context = createExecutionContext();
    await worker.queue(batch, env, context);
    const result = await getQueueResult(batch, context);
    expect(result.retryMessages).toMatchObject([{ msgId: 'm' }]);
    expect((await ledger.event(message.event))!.state).toBe('accepted');

    const dead = createMessageBatch('bit-edge-moderation-dead', [
      { id: 'd', timestamp: new Date(), attempts: 1, body: message },
    ]);
    await worker.queue(dead, env, createExecutionContext());
    expect(await ended(message.event)).toMatchObject({
      state: 'undecided',
      verdict: null,
      failure: { code: 'fetch_failed' },
    });
    expect(callbacksOf(message.event)).toEqual([]);
  });
});

describe('the log', () => {
  it('shows failing deliveries, lets them be replayed, and counts', async () => {
    callbackStatus = 410;
    const { body } = await send({ id: 'gone', url: IMAGE_URL, callback_url: `${RECEIVER_URL}gone` });
    const id = body.events[0]!.id;
    expect(await ended(id)).toMatchObject({ state: 'disabled', attempt_log: [{ outcome: 'gone', status: 410 }] });
    expect((await post(`/v1/webhooks/events/${id}/replay`)).status).toBe(409);
    const endpoints = (await get('/v1/webhooks/endpoints?source=shop')).endpoints;
    expect(endpoints).toContainEqual(expect.objectContaining({ url: `${RECEIVER_URL}gone`, state: 'disabled' }));

    const enable = { source: 'shop', url: `${RECEIVER_URL}gone` };
    expect(await post('/v1/webhooks/endpoints/enable', enable)).toMatchObject({
      status: 200,
      body: { state: 'enabled' },
    });
    expect((await post('/v1/webhooks/endpoints/enable', enable)).status).toBe(404);
    callbackStatus = 200;
    expect((await post(`/v1/webhooks/events/${id}/replay`)).status).toBe(202);
    expect(await ended(id)).toMatchObject({ state: 'delivered', attempts: 2 });
    expect(callbacksOf(id)).toHaveLength(2);

    const events = (await get('/v1/webhooks/events?source=shop&state=delivered&limit=1000')).events;
    expect(events).toContainEqual(expect.objectContaining({ id, state: 'delivered' }));
    expect((await get('/v1/webhooks/stats?source=shop')).sources).toMatchObject({
      shop: { delivered: expect.any(Number) },
    });
    expect(await post('/v1/webhooks/replay', { source: 'shop', state: 'dead' })).toMatchObject({
      status: 202,
      body: { replayed: 0 },
    });
  });

  it('pages through events by cursor', async () => {
    await send(['p1', 'p2', 'p3'].map((id) => ({ id, url: IMAGE_URL })));
    const all = (await get('/v1/webhooks/events?source=shop&limit=1000')).events as { id: string }[];
    const seen: string[] = [];
    let cursor = '';
    for (let page = 0; page < 3; page++) {
      const { events, next_cursor } = await get(`/v1/webhooks/events?source=shop&limit=2${cursor}`);
      seen.push(...(events as { id: string }[]).map(({ id }) => id));
      cursor = `&cursor=${String(next_cursor)}`;
    }
    expect(seen).toEqual(all.slice(0, 6).map(({ id }) => id));
  });

  it.each([
    ['/v1/webhooks/events/evt_shop_00000000000000000000000000000000', 404],
    ['/v1/webhooks/events/evt_nobody_00000000000000000000000000000000', 404],
    ['/v1/webhooks/events?state=lost', 400],
    ['/v1/webhooks/events?source=nobody', 400],
  ])('answers %s with %i', async (path, status) => {
    expect((await SELF.fetch(`http://localhost${path}`)).status).toBe(status);
  });
});

describe('uploads', () => {
  const ledger = () => env.MODERATION_LEDGER.get(env.MODERATION_LEDGER.idFromName('uploads'));

  async function notify(
    key: string,
    change: Record<string, unknown> = {},
    queue = 'bit-edge-r2-events',
  ): Promise<{ explicitAcks: string[] }> {
    const object = await env.UPLOADS.head(key);
    const body = {
      account: '3f4b7e3dcab231cbfdaa90a6a28bd548',
      action: 'PutObject',
      bucket: 'bit-edge-uploads',
      object: { key, size: object?.size ?? 0, eTag: object?.etag ?? 'c846ff7a18f28c2e262116d6e8719ef0' },
      eventTime: new Date(1_700_000_000_000).toISOString(),
      ...change,
    };
    const batch = createMessageBatch(queue, [{ id: 'n', timestamp: new Date(), attempts: 1, body }]);
    const context = createExecutionContext();
    await worker.queue(batch, env, context);
    return getQueueResult(batch, context);
  }

  const eventsOf = async (key: string) =>
    (await ledger().events(null, null, 1000)).filter(({ item_id }) => item_id === key);

  it('are judged by the rule of their prefix, put into quarantine, and told of', async () => {
    const key = 'incoming/cat.png';
    await env.UPLOADS.put(key, photo, { httpMetadata: { contentType: 'image/png' }, customMetadata: { owner: 'me' } });
    expect(await notify(key)).toMatchObject({ explicitAcks: ['n'] });
    await notify(key); // at least once is what queues promise
    const [event] = await eventsOf(key);
    expect(await ended(event!.id)).toMatchObject({ state: 'delivered', verdict: 'block' });
    expect(await eventsOf(key)).toHaveLength(1);

    expect(await env.UPLOADS.head(key)).toBeNull();
    const moved = (await env.UPLOADS.get(`quarantine/${key}`))!;
    expect(new Uint8Array(await moved.arrayBuffer())).toEqual(photo);
    expect(moved.httpMetadata?.contentType).toBe('image/png');
    expect(moved.customMetadata).toMatchObject({ owner: 'me', 'bit-edge-verdict': 'block' });
    const written = (await env.UPLOADS.get(`${key}.moderation.json`))!;
    expect(await written.json()).toMatchObject({ id: key, decision: { verdict: 'block', reason: 'animals' } });

    const mine = callbacks.filter(({ payload }) => payload.data.id === key);
    expect(mine).toMatchObject([
      {
        payload: {
          data: {
            metadata: { bucket: 'bit-edge-uploads', key },
            effects: [
              { type: 'write_decision', status: 'done', key: `${key}.moderation.json` },
              { type: 'tag', status: 'done' },
              { type: 'quarantine', status: 'done', key: `quarantine/${key}` },
            ],
          },
        },
      },
    ]);
    expect(mine).toHaveLength(1);
  });

  it('whose notification ended in the dead-letter queue are judged all the same, in any environment', async () => {
    const key = 'incoming/late.png';
    await env.UPLOADS.put(key, photo);
    expect(await notify(key, {}, 'bit-edge-staging-r2-events-dead')).toMatchObject({ explicitAcks: ['n'] });
    const [event] = await eventsOf(key);
    expect(await ended(event!.id)).toMatchObject({ state: 'delivered', verdict: 'block' });
  });

  it('that an effect wrote are not judged again', async () => {
    const key = 'incoming/loop.png';
    await env.UPLOADS.put(key, photo);
    await notify(key);
    await ended((await eventsOf(key))[0]!.id);
    await notify(`${key}.moderation.json`);
    expect(await eventsOf(`${key}.moderation.json`)).toEqual([]);
    // A person who puts it back: the same bytes under the same key, with the mark of the decision.
    const moved = (await env.UPLOADS.get(`quarantine/${key}`))!;
    const marks = moved.customMetadata!;
    await env.UPLOADS.put(key, await moved.arrayBuffer(), { customMetadata: marks });
    await notify(key, { eventTime: '2026-01-01T00:00:00Z' });
    expect(await eventsOf(key)).toHaveLength(1);
    // The mark does not protect other bytes, nor another key.
    await env.UPLOADS.put(key, new Uint8Array([1, 2, 3]), { customMetadata: marks });
    await notify(key, { eventTime: '2026-01-02T00:00:00Z' });
    expect(await eventsOf(key)).toHaveLength(2);
    await env.UPLOADS.put('incoming/copy.png', photo, { customMetadata: marks });
    await notify('incoming/copy.png');
    expect(await eventsOf('incoming/copy.png')).toHaveLength(1);
  });

  it('outside every rule, deleted objects and unreadable messages are passed over', async () => {
    await env.UPLOADS.put('other/a.png', photo);
    for (const [key, change] of [
      ['other/a.png', {}],
      ['incoming/deleted.png', { action: 'DeleteObject' }],
      ['incoming/elsewhere.png', { bucket: 'another-bucket' }],
      ['incoming/odd.png', { object: 'odd' }],
    ] as const) {
      expect(await notify(key, change)).toMatchObject({ explicitAcks: ['n'] });
      expect(await eventsOf(key)).toEqual([]);
    }
  });

  it('that are overwritten before they are judged are not taken for the new ones', async () => {
    const key = 'incoming/changed.png';
    await env.UPLOADS.put(key, photo);
    await notify(key, { object: { key, size: 1, eTag: '00000000000000000000000000000000' } });
    const [event] = await eventsOf(key);
    await runDurableObjectAlarm(ledger());
    expect(await ended(event!.id)).toMatchObject({
      verdict: 'review',
      decision: { error: { code: 'object_not_found' } },
    });
    expect(await env.UPLOADS.head(key)).not.toBeNull();
  });
});
