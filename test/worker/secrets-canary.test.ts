/**
 * Secrets as canaries, through every operation's errors: an API key that is good and one that is not, the signature of a signed URL,
 * a webhook's signature. None may come out in an answer, a log line, the metrics or the bucket.
 */
import { env, SELF } from 'cloudflare:test';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey, SCOPES } from '../../worker/auth/api-key.ts';
import { putApiKey } from '../../worker/auth/key-store.ts';
import { OPERATIONS } from '../../worker/openapi/operations.ts';
import { SHOP_SECRET } from '../support/moderation-bindings.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const HOST = 'https://bit-edge.example.com';

/** In the query of a URL that images are fetched from. */
const URL_CANARY = 'canaryUrlSignature0123456789abcdef';
const SIGNED_URL = `https://images.example.com/a.png?X-Amz-Signature=${URL_CANARY}`;

/** A key that was never made, and a signature that fits nothing. */
const WRONG_KEY = `bek_${'canaryWrongKey'.padEnd(43, 'x')}`;
const SIGNATURE_CANARY = btoa('canary signature of a webhook...');

let photo: Uint8Array<ArrayBuffer>;
let key: string;
let logged: string[];

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
  const random = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES));
  const facts = { name: 't', rateTier: 'high', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
  const { token, record } = await mintApiKey({ ...facts, scopes: [...SCOPES] }, random);
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  key = token;
});

beforeEach(() => {
  logged = [];
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, level).mockImplementation((...values: unknown[]) => {
      const shown = values.map((value) => (value instanceof Error ? `${value.stack} ${String(value.cause)}` : value));
      logged.push(shown.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(' '));
    });
  }
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
    throw new TypeError(`connection to ${new Request(input).url} failed`);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** What may never come out. */
function secrets(): string[] {
  return [key, key.slice(8), WRONG_KEY, URL_CANARY, SIGNATURE_CANARY, SHOP_SECRET, SHOP_SECRET.slice('whsec_'.length)];
}

function expectNone(where: string, text: string): void {
  for (const secret of secrets()) expect(text.includes(secret), `${where}: ${text.slice(0, 300)}`).toBe(false);
}

/** One request, and all that came of it. */
async function probe(
  method: string,
  path: string,
  headers: Record<string, string>,
  body: BodyInit | null,
): Promise<number> {
  const response = await SELF.fetch(HOST + path, { method, headers, body: method === 'GET' ? null : body });
  expectNone(`${method} ${path}`, await response.text());
  for (const [name, value] of response.headers) expectNone(`${method} ${path}: ${name}`, value);
  return response.status;
}

const named = OPERATIONS.map(({ method, path }) => [method.toUpperCase(), path] as const);

describe('no secret comes out of', () => {
  it.each(named)('%s %s', async (method, template) => {
    const path = template.replaceAll(/:\w+/g, 'nobody');
    const authorization = `Bearer ${key}`;
    const json = { 'content-type': 'application/json' };
    const signed = { 'webhook-id': 'msg_1', 'webhook-timestamp': '1', 'webhook-signature': `v1,${SIGNATURE_CANARY}` };
    const bodies = [
      JSON.stringify({ url: SIGNED_URL }),
      JSON.stringify({ inputs: SIGNED_URL }),
      JSON.stringify({ inputs: [{ url: SIGNED_URL, nonsense: 1 }], callback_url: SIGNED_URL }),
      JSON.stringify({ image: { url: SIGNED_URL } }),
      `{"url":"${SIGNED_URL}"`,
    ];
    const statuses: number[] = [];
    for (const body of bodies) statuses.push(await probe(method, path, { authorization, ...json, ...signed }, body));
    statuses.push(await probe(method, path, { authorization: `Bearer ${WRONG_KEY}`, ...json, ...signed }, bodies[0]!));
    statuses.push(await probe(method, path, { authorization: `Basic ${btoa(`a:${key}`)}`, ...json }, bodies[0]!));
    statuses.push(await probe(method, path, { authorization, 'content-type': 'image/png' }, photo.slice(0, 99)));
    expect(statuses.length).toBe(8);
    expect(logged.length).toBeGreaterThan(0);
    for (const line of logged) expectNone('log', line);
  });

  it('a webhook of a source whose secret is known', async () => {
    for (const scheme of ['shop', 'hub']) {
      const headers = {
        'webhook-id': 'msg_1',
        'webhook-timestamp': '1',
        'webhook-signature': `v1,${SIGNATURE_CANARY}`,
      };
      const github = { 'x-github-delivery': '1', 'x-hub-signature-256': `sha256=${SIGNATURE_CANARY}` };
      await probe('POST', `/v1/webhooks/images/${scheme}`, { ...headers, ...github }, '{}');
    }
    for (const line of logged) expectNone('log', line);
  });

  it('the metrics, and the objects that keys are kept in', async () => {
    const metrics = await SELF.fetch(`${HOST}/metrics`, { headers: { authorization: `Bearer ${key}` } });
    expect(metrics.status).toBe(200);
    expectNone('metrics', await metrics.text());
    let objects = 0;
    const { objects: listed } = await env.MODELS.list({ limit: 1000 });
    for (const { key: name, size } of listed) {
      expectNone('object name', name);
      if (size > 16 * 1024) continue;
      expectNone(name, await (await env.MODELS.get(name))!.text());
      objects++;
    }
    expect(objects).toBeGreaterThan(0);
  });
});
