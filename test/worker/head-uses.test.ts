/** What heads are used for besides a request: jobs, and side by side on one backbone, each key with its own. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey } from '../../worker/auth/api-key.ts';
import { putApiKey } from '../../worker/auth/key-store.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

interface Answer {
  readonly id: string;
  readonly state: string;
  readonly model: { readonly name: string; readonly version: string };
  readonly aliases: { readonly latest: string };
  readonly predictions: { readonly label: string; readonly score: number; readonly index: number }[];
  readonly embedding: string;
}

const DIMENSIONS = 1024;
const PHOTO = 'incoming/head-uses/photo.png';

let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
  await env.UPLOADS.put(PHOTO, photo);
});

async function ask(request: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const [method = '', path = ''] = request.split(' ');
  const isRaw = body instanceof Uint8Array;
  const init: RequestInit = { method, headers: isRaw ? headers : { 'content-type': 'application/json', ...headers } };
  if (body !== undefined) init.body = isRaw ? (body as BodyInit) : JSON.stringify(body);
  return SELF.fetch(`http://localhost${path}`, init);
}

async function call(request: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await ask(request, body, headers);
  const text = await response.text();
  expect(response.ok, text).toBe(true);
  return JSON.parse(text) as Answer;
}

/** Two classes on two axes. */
function axes(labels: readonly [string, string]) {
  return labels.map((label, at) => ({
    label,
    embeddings: [at, at + 2].map((axis) => Array.from({ length: DIMENSIONS }, (_, d) => Number(d === axis))),
  }));
}

async function lineOf(job: Answer): Promise<Answer & { readonly engine: string }> {
  const state = async (): Promise<string> => (await call(`GET /v1/jobs/${job.id}`)).state;
  await expect.poll(state, { timeout: 25_000, interval: 100 }).toBe('completed');
  return JSON.parse(await (await ask(`GET /v1/jobs/${job.id}/results`)).text());
}

describe('a job', () => {
  it('of task classify answers with the labels of a head, in the version that it was accepted with', async () => {
    const { aliases } = await call('POST /v1/heads', { name: 'for-jobs', classes: axes(['a', 'b']) });
    const direct = await call('POST /v1/classify?model=for-jobs&exact=false', photo);
    const parameters = { top_k: 2 };
    const job = await call('POST /v1/jobs', { model: 'for-jobs', inputs: [PHOTO], parameters });
    expect(job.model).toEqual({ name: 'for-jobs', version: aliases.latest });
    expect(await lineOf(job)).toMatchObject({ model: job.model, engine: 'wasm', predictions: direct.predictions });
  });

  it('of task embed answers with the embedding of the backbone', async () => {
    await call('POST /v1/heads', { name: 'for-embeddings', classes: axes(['a', 'b']) });
    const direct = await call('POST /v1/embed?encoding=base64&exact=false', photo);
    const job = await call('POST /v1/jobs', { task: 'embed', model: 'for-embeddings', inputs: [PHOTO] });
    expect((await lineOf(job)).embedding).toBe(direct.embedding);
  });
});

it('ten heads on a backbone take the memory of the backbone alone', async () => {
  const gauges = async (): Promise<string[]> => {
    const text = await (await ask('GET /metrics')).text();
    return text.split('\n').filter((line) => /^bit_edge_(wasm_heap_bytes|models_loaded) /.test(line));
  };
  await call('POST /v1/classify', photo);
  const before = await gauges();
  expect(before).toHaveLength(2);
  for (let i = 0; i < 10; i++) {
    await call('POST /v1/heads', { name: `ten-${i}`, classes: axes([`a${i}`, `b${i}`]) });
    const { predictions } = await call(`POST /v1/classify?model=ten-${i}`, photo);
    expect(predictions.map(({ label }) => label).sort()).toEqual([`a${i}`, `b${i}`]);
  }
  expect(await gauges()).toEqual(before);
});

describe('answers', () => {
  it('of heads of one name are kept apart by key, and by version', async () => {
    const [alice, bob] = [await createKey(), await createKey()];
    const labels = async (headers: Record<string, string>): Promise<[string | null, string[]]> => {
      const response = await ask('POST /v1/classify?model=shared-name', photo, headers);
      const { predictions } = (await response.json()) as Answer;
      return [response.headers.get('x-cache'), predictions.map(({ label }) => label).sort()];
    };
    await call('POST /v1/heads', { name: 'shared-name', classes: axes(['a', 'b']) }, alice);
    await call('POST /v1/heads', { name: 'shared-name', classes: axes(['c', 'd']) }, bob);
    expect(await labels(alice)).toEqual(['miss', ['a', 'b']]);
    expect(await labels(bob)).toEqual(['miss', ['c', 'd']]);
    await expect.poll(() => labels(alice), { timeout: 5_000 }).toEqual(['hit', ['a', 'b']]);
    await call('POST /v1/heads/shared-name/examples', { classes: axes(['e', 'b']) }, alice);
    await call('POST /v1/heads/shared-name/train', undefined, alice);
    expect(await labels(alice)).toEqual(['miss', ['a', 'b', 'e']]);
  });
});

async function createKey(): Promise<{ authorization: string }> {
  const random = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES));
  const scopes = ['heads', 'classify'] as const;
  const key = { name: 't', scopes, rateTier: 'high', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
  const { token, record } = await mintApiKey(key, random);
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  return { authorization: `Bearer ${token}` };
}
