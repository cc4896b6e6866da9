/** Policies whose categories are fed by heads: with the model's own labels, from one pass, in requests and in jobs. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey } from '../../../worker/auth/api-key.ts';
import { putApiKey } from '../../../worker/auth/key-store.ts';
import { ModelHost } from '../../../worker/inference/model-host.ts';
import { readFixture, seedDefaultModel } from '../../support/worker/seed.ts';

interface Answer {
  readonly code: string;
  readonly detail: string;
  readonly verdict: string;
  readonly reason: string;
  readonly model: object;
  readonly heads: object[];
  readonly categories: { name: string; score: number; labels: { label: string; head?: string; score: number }[] }[];
  readonly id: string;
  readonly state: string;
  readonly aliases: { readonly latest: string };
  readonly predictions: { label: string; score: number }[];
  readonly [member: string]: unknown;
}

let photo: Uint8Array<ArrayBuffer>;
let model: { name: string; version: string };
let own: { label: string; score: number };
const versions: Record<string, string> = {};

beforeAll(async () => {
  const { name, version } = await seedDefaultModel();
  model = { name, version };
  photo = await readFixture('photo.png');
  own = (await call('POST /v1/classify?top_k=1', photo)).body.predictions[0]!;
  const others = await Promise.all(['png-gray.png', 'jpeg-16x16.jpg'].map((file) => readFixture(`images/${file}`)));
  for (const [head, label, unknown] of [
    ['weapons', 'gun', false],
    ['drinks', 'wine', true],
  ] as const) {
    const form = new FormData();
    form.append('name', head);
    form.append('unknown', String(unknown));
    form.append(label, new Blob([photo]));
    form.append(label, new Blob([new Uint8Array([...photo, 0])]));
    for (const other of others) form.append('other', new Blob([other]));
    const made = await call('POST /v1/heads', form);
    expect(made, JSON.stringify(made.body)).toMatchObject({ status: 201, body: { state: 'ready' } });
    versions[head] = made.body.aliases.latest;
  }
});

async function call(request: string, body?: unknown, headers: Record<string, string> = {}) {
  const [method = '', path = ''] = request.split(' ');
  const isRaw = body instanceof FormData || body instanceof Uint8Array;
  const init: RequestInit = { method, headers: isRaw ? headers : { 'content-type': 'application/json', ...headers } };
  if (body !== undefined) init.body = isRaw ? (body as BodyInit) : JSON.stringify(body);
  const response = await SELF.fetch(`http://localhost${path}`, init);
  const text = await response.text();
  return { status: response.status, body: JSON.parse(text.startsWith('{') ? text : '{}') as Answer, text };
}

const thresholds = { review: 0.2, block: 0.5 };

function policy(name: string, changes: object = {}) {
  return {
    schema_version: 1,
    name,
    version: '1',
    model: { name: model.name },
    heads: [{ name: 'weapons' }, { name: 'drinks' }],
    categories: [
      { name: 'arms', head_labels: { weapons: ['gun'] }, thresholds },
      {
        name: 'alcohol',
        labels: [own.label],
        head_labels: { drinks: ['wine', 'unknown'] },
        combine: 'max',
        thresholds,
      },
    ],
    ...changes,
  };
}

const publish = (name: string, changes: object = {}) => call('POST /v1/policies', { policy: policy(name, changes) });

describe('a policy with heads', () => {
  it('judges by two heads and the labels of the model in one pass', async () => {
    expect((await publish('both')).status).toBe(201);
    const passes = vi.spyOn(ModelHost.prototype, 'run');
    const { status, body } = await call('POST /v1/moderate?policy=both', photo);
    expect(passes).toHaveBeenCalledTimes(1);
    passes.mockRestore();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      verdict: 'block',
      reason: 'arms',
      model,
      heads: [
        { name: 'weapons', version: versions.weapons },
        { name: 'drinks', version: versions.drinks },
      ],
    });
    const scores = async (head: string) =>
      new Map(
        (await call(`POST /v1/classify?model=${head}`, photo)).body.predictions.map(({ label, score }) => [
          label,
          score,
        ]),
      );
    const [weapons, drinks] = [await scores('weapons'), await scores('drinks')];
    const [arms, alcohol] = body.categories;
    expect(arms!.labels).toEqual([{ label: 'gun', head: 'weapons', score: expect.closeTo(weapons.get('gun')!, 6) }]);
    expect(new Map(alcohol!.labels.map(({ label, head, score }) => [`${head ?? ''}/${label}`, score]))).toEqual(
      new Map([
        [`/${own.label}`, expect.closeTo(own.score, 5)],
        ['drinks/wine', expect.closeTo(drinks.get('wine')!, 6)],
        ['drinks/unknown', expect.closeTo(drinks.get('unknown')!, 6)],
      ]),
    );
  });

  it('lets a label of a head allow', async () => {
    const allowances = [{ head_labels: { weapons: ['gun'] }, threshold: 0.5, categories: ['arms', 'alcohol'] }];
    await publish('allowing', { allow_list: { allowances } });
    const { body } = await call('POST /v1/moderate?policy=allowing', photo);
    expect(body).toMatchObject({ verdict: 'allow', categories: [{ name: 'arms', overridden_by: 'gun' }, {}] });
  });

  it('is what a job of task moderate runs, on the model of the policy', async () => {
    await publish('bulk');
    await env.UPLOADS.put('incoming/heads/photo.png', photo);
    const job = await call('POST /v1/jobs', {
      task: 'moderate',
      parameters: { policy: 'bulk' },
      inputs: ['incoming/heads/photo.png'],
    });
    expect(job).toMatchObject({ status: 202, body: { model } });
    await expect
      .poll(async () => (await call(`GET /v1/jobs/${job.body.id}`)).body.state, { timeout: 25_000 })
      .toBe('completed');
    const line = JSON.parse((await call(`GET /v1/jobs/${job.body.id}/results`)).text) as { decision: Answer };
    expect(line.decision).toMatchObject({ verdict: 'block', reason: 'arms', heads: [{ name: 'weapons' }, {}] });
  });

  it('follows the alias of a head, and fails by name where the head is gone', async () => {
    const embeddings = [Array.from({ length: 1024 }, (_, d) => Number(d === 1)), Array(1024).fill(1)];
    const classes = embeddings.map((embedding, at) => ({ label: 'ab'[at], embeddings: [embedding] }));
    await call('POST /v1/heads', { name: 'passing', classes });
    const changes = {
      heads: [{ name: 'passing' }],
      categories: [{ name: 'c', head_labels: { passing: ['a'] }, thresholds }],
    };
    expect((await publish('passing', changes)).status).toBe(201);
    expect((await call('POST /v1/moderate?policy=passing', photo)).body).toMatchObject({
      heads: [{ name: 'passing' }],
    });
    await call('DELETE /v1/heads/passing');
    const { status, body } = await call('POST /v1/moderate?policy=passing', photo);
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'invalid_policy' });
    expect(body.detail).toContain('no head passing@latest');
  });
});

describe('a policy is refused', () => {
  it.each([
    ['a head that is not there', { heads: [{ name: 'nobody' }] }, 'heads[0]: key anonymous has no head nobody@latest'],
    [
      'a label that the head lacks',
      { categories: [{ name: 'c', head_labels: { weapons: ['gum'] }, thresholds }] },
      'did you mean "gun"',
    ],
    ['a head that it does not list', { heads: [] }, 'unknown head "weapons"'],
    [
      'a head that nothing uses',
      { categories: [{ name: 'c', head_labels: { weapons: ['gun'] }, thresholds }] },
      'uses head "drinks"',
    ],
    ['a head twice', { heads: [{ name: 'weapons' }, { name: 'drinks' }, { name: 'weapons' }] }, 'already'],
    [
      'the head of another key',
      { heads: [{ name: 'weapons', key: '0123456789abcdef' }, { name: 'drinks' }] },
      'shared with you',
    ],
  ])('for %s', async (_, changes, message) => {
    const { status, body } = await publish('refused', changes);
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'invalid_policy' });
    expect(body.detail).toContain(message);
  });
});

it('means the heads of the key that publishes it, and judges for everyone', async () => {
  const [alice, bob] = [await createKey(), await createKey()];
  const classes = ['a', 'b'].map((label, at) => ({
    label,
    embeddings: [Array.from({ length: 1024 }, (_, d) => Number(d === at))],
  }));
  await call('POST /v1/heads', { name: 'private', classes }, alice);
  const changes = {
    heads: [{ name: 'private' }],
    categories: [{ name: 'c', head_labels: { private: ['a'] }, thresholds }],
  };
  const body = { policy: policy('of-alice', changes) };
  expect((await call('POST /v1/policies', body, bob)).body.code).toBe('invalid_policy');
  expect((await call('POST /v1/policies', body, alice)).status).toBe(201);
  expect((await call('POST /v1/moderate?policy=of-alice', photo, bob)).body).toMatchObject({
    heads: [{ name: 'private' }],
  });
});

async function createKey(): Promise<{ authorization: string }> {
  const random = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES));
  const scopes = ['heads', 'moderate', 'admin'] as const;
  const key = { name: 't', scopes, rateTier: 'high', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
  const { token, record } = await mintApiKey(key, random);
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  return { authorization: `Bearer ${token}` };
}
