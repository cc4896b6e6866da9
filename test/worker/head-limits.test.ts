/** Limits of heads: one less and as many are taken, one more is refused with the numbers. And sets that are hostile. */
import { env, runInDurableObject, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { ExampleStore } from '../../worker/heads/example-store.ts';
import headKernels from '../../worker/heads/kernels/heads.wasm';
import { HEAD_LIMITS, type HeadLimit } from '../../worker/heads/limits.ts';
import { DEFAULT_TRAINING } from '../../worker/heads/math/train.ts';
import type { HeadSettings } from '../../worker/heads/records.ts';
import { refusalOf } from '../../worker/heads/refusals.ts';
import { checkRoom, type NamedExample } from '../../worker/heads/room.ts';
import { HeadTrainer } from '../../worker/heads/trainer.ts';
import { VersionStore } from '../../worker/heads/version-store.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const BACKBONE = { name: 'bit-tiny-200', version: '1' };

const DIMENSIONS = 1024;

interface Body {
  readonly code?: string;
  readonly limit_name?: HeadLimit;
  readonly value?: number;
  readonly limit?: number;
  readonly state?: string;
  readonly aliases: { readonly latest: string };
  readonly versions: { readonly version: string }[];
  readonly predictions: { readonly label: string; readonly score: number }[];
}

beforeAll(async () => {
  await seedDefaultModel();
});

async function call(request: string, body?: unknown): Promise<{ status: number; body: Body }> {
  const [method = '', path = ''] = request.split(' ');
  const isRaw = body instanceof FormData || body instanceof Uint8Array;
  const init: RequestInit = { method, headers: isRaw ? {} : { 'content-type': 'application/json' } };
  if (body !== undefined) init.body = isRaw ? (body as BodyInit) : JSON.stringify(body);
  const response = await SELF.fetch(`http://localhost${path}`, init);
  return { status: response.status, body: (await response.json()) as Body };
}

/** The stores of a head that nobody calls, so that no alarm runs. */
function inHead<T>(name: string, use: (sql: SqlStorage) => T | Promise<T>): Promise<T> {
  return runInDurableObject(env.HEADS.get(env.HEADS.idFromName(`nobody/${name}`)), (_, { storage }) =>
    use(storage.sql),
  );
}

function settingsOf(changes: Partial<HeadSettings> = {}): HeadSettings {
  return {
    name: 'limits',
    owner: 'nobody',
    backbone: BACKBONE,
    training: { ...DEFAULT_TRAINING, method: 'nearest_mean' },
    multiLabel: false,
    promotion: 'always',
    promotionMargin: 0,
    keepPictures: false,
    createdAtMs: 0,
    dimensions: 1,
    idempotencyKey: null,
    ...changes,
  };
}

function exampleOf(label: string, index: number, dimensions = 1): NamedExample {
  const embedding = new Uint8Array(Float32Array.from({ length: dimensions }, (_, d) => (d === 0 ? index : 1)).buffer);
  const sha256 = index.toString(16).padStart(64, '0');
  return { id: `ex_${index}`, sha256, labels: [label], source: { kind: 'embedding' }, embedding, stored: false };
}

describe('as many as the limit, and no more', () => {
  const { examples, examplesPerClass, classes, dimensions, embeddingBytes } = HEAD_LIMITS;
  it.each([
    ['examples', examples, 1, (i: number) => `class ${i % 7}`],
    ['examplesPerClass', examplesPerClass, 1, () => 'a'],
    ['classes', classes, 1, (i: number) => `class ${i}`],
    ['embeddingBytes', embeddingBytes / (4 * dimensions), dimensions, (i: number) => `class ${i % 2}`],
  ] as const)(
    '%s: %i',
    async (limit, most, length, labelOf) => {
      const outcomes = await inHead(limit, (sql) => {
        const store = new ExampleStore(sql);
        const settings = settingsOf({ dimensions: length });
        for (let i = 0; i < most - 2; i++) store.add([exampleOf(labelOf(i), i, length)], 0);
        return [most - 2, most - 1, most].map((i) => {
          const added = exampleOf(labelOf(i), i, length);
          const refusal = refusalOf(() => checkRoom(settings, store, [added], BACKBONE));
          if (refusal === null) store.add([added], 0);
          return refusal?.refused ?? null;
        });
      });
      const details = expect.objectContaining({ limit_name: limit, limit: HEAD_LIMITS[limit] });
      expect(outcomes).toEqual([null, null, expect.objectContaining({ code: 'head_limit_exceeded', details })]);
    },
    60_000,
  );

  it('values of an embedding', async () => {
    for (const [length, code] of [
      [dimensions - 1, 'head_backbone_changed'],
      [dimensions, 'head_backbone_changed'],
      [dimensions + 1, 'head_limit_exceeded'],
    ] as const) {
      const set = {
        name: 'values',
        classes: ['a', 'b'].map((label) => ({ label, embeddings: [Array(length).fill(1)] })),
      };
      expect((await call('POST /v1/heads', set)).body.code).toBe(code);
    }
  });

  it('labels of an example', async () => {
    const most = HEAD_LIMITS.labelsPerExample;
    for (const [count, status] of [
      [most - 1, 201],
      [most, 201],
      [most + 1, 400],
    ] as const) {
      const labels = Array.from({ length: count }, (_, k) => `label ${k}`);
      const sets = [
        { labels, embeddings: [axis(0), axis(1)] },
        { label: 'alone', embeddings: [axis(2), axis(3)] },
      ];
      const made = await call('POST /v1/heads', { name: `labels-${count}`, multi_label: true, classes: sets });
      expect(made.status, JSON.stringify(made.body)).toBe(status);
    }
  });

  it('versions: the oldest that no alias names goes, with its files', async () => {
    const most = HEAD_LIMITS.versions;
    const store = new R2ObjectStore(env.MODELS);
    const { made, left } = await inHead('versions', async (sql) => {
      const own = new ExampleStore(sql);
      const versions = new VersionStore(sql);
      versions.settings = settingsOf({ name: 'versions' });
      const trainer = new HeadTrainer({
        examples: own,
        versions,
        work: () => ({ store, kernels: headKernels, acquire: async () => ({ release() {} }) }),
        publish: async () => {},
      });
      own.add([exampleOf('a', 1), exampleOf('a', 2), exampleOf('b', -1), exampleOf('b', -2)], 0);
      const trained: string[] = [];
      for (let i = 0; i <= most; i++) {
        own.add([exampleOf('a', 10 + i)], 0);
        versions.touch();
        await trainer.trainIfStale();
        trained.push(versions.versions()[0]!.version);
        if (i === 0) versions.moveAlias('first', trained[0]!, '2026-01-01T00:00:00Z');
      }
      return { made: trained, left: versions.versions().map(({ version }) => version) };
    });
    expect(new Set(made).size).toBe(most + 1);
    expect(left).toEqual([...made.slice(2).reverse(), made[0]]);
    const keys = await env.MODELS.list({ prefix: 'heads/nobody/versions/versions/', delimiter: '/' });
    expect(keys.delimitedPrefixes.map((prefix) => prefix.split('/').at(-2)).sort()).toEqual([...left].sort());
  }, 60_000);
});

const axis = (at: number): number[] => Array.from({ length: DIMENSIONS }, (_, d) => Number(d === at));

const base64 = (values: readonly number[]): string =>
  Buffer.from(new Uint8Array(Float32Array.from(values).buffer)).toString('base64');

describe('a hostile set', () => {
  it('of one picture under two labels works, and says so', async () => {
    const photo = await readFixture('photo.png');
    const form = new FormData();
    form.append('name', 'identical');
    for (const label of ['a', 'b']) {
      for (let i = 0; i < 3; i++) form.append(label, new Blob([new Uint8Array([...photo, i])]));
    }
    expect((await call('POST /v1/heads', form)).status).toBe(201);
    const report = (await call('GET /v1/heads/identical/report')).body as Body & { duplicates: object[] };
    expect(report.duplicates.length).toBeGreaterThan(0);
    const { predictions } = (await call('POST /v1/classify?model=identical', photo)).body;
    for (const { score } of predictions) expect(score).toBeCloseTo(0.5, 3);
  });

  it.each([
    ['not a number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
  ])('with a value that is %s is refused', async (_, value) => {
    const embeddings = [base64([value, ...Array<number>(DIMENSIONS - 1).fill(1)])];
    const classes = [
      { label: 'a', embeddings },
      { label: 'b', embeddings: [axis(1)] },
    ];
    const refused = await call('POST /v1/heads', { name: 'not-finite', classes });
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } });
    expect((await call('GET /v1/heads/not-finite')).status).toBe(404);
  });

  it.each([
    ['one example a class', { classes: [0, 1].map((at) => ({ label: 'ab'[at], embeddings: [axis(at)] })) }],
    ['zeros alone', { classes: ['a', 'b'].map((label) => ({ label, embeddings: [Array(DIMENSIONS).fill(0)] })) }],
    [
      'the largest numbers there are',
      {
        features: 'none',
        classes: [0, 1].map((at) => ({ label: 'ab'[at], embeddings: [axis(at).map((each) => each * 3e38)] })),
      },
    ],
    [
      'standardised dimensions that never vary',
      {
        features: 'standardize',
        classes: [0, 1].map((at) => ({ label: 'ab'[at], embeddings: [axis(at), axis(at)] })),
      },
    ],
  ])('of %s is trained, or refused by name; never answered with what is no number', async (name, body) => {
    const head = name.replaceAll(/[^a-z]+/g, '-').slice(0, 40);
    const made = await call('POST /v1/heads', { name: head, ...body });
    if (made.status !== 201) return expect(made).toMatchObject({ status: 422, body: { code: 'head_untrainable' } });
    const { status, body: answer } = await call(`POST /v1/classify?model=${head}`, await readFixture('photo.png'));
    expect(status).toBe(200);
    expect(answer.predictions).toHaveLength(2);
    for (const { score } of answer.predictions) expect(score).toBeGreaterThanOrEqual(0);
  });
});
