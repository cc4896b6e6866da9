/** Heads over HTTP: taught, asked, corrected, rolled back, shared, and refused. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey } from '../../worker/auth/api-key.ts';
import { putApiKey } from '../../worker/auth/key-store.ts';
import { HEAD_LIMITS } from '../../worker/heads/limits.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const DIMENSIONS = 1024;

interface Head {
  readonly name: string;
  readonly state: string;
  readonly aliases: Record<string, string>;
  readonly versions: { readonly version: string; readonly accuracy: number | null }[];
  readonly examples: { readonly pending: number; readonly ready: number; readonly failed: number };
  readonly classes: { readonly label: string; readonly examples: number }[];
  readonly grants: string[];
  readonly code: string;
}

let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
});

async function call<T = Head>(
  request: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: T }> {
  const [method = '', path = ''] = request.split(' ');
  const init: RequestInit = { method, headers };
  if (body instanceof FormData || body instanceof Uint8Array) init.body = body as BodyInit;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json', ...headers };
  }
  const response = await SELF.fetch(`http://localhost${path}`, init);
  return { status: response.status, body: (await response.json()) as T };
}

/** An embedding near the corner of its class. */
function embedding(corner: number, seed: number): number[] {
  return Array.from({ length: DIMENSIONS }, (_, d) => (d === corner ? 1 : 0.01 * Math.sin(1 + seed * 7919 + d)));
}

function classOf(label: string, corner: number, count: number, from = 0) {
  return { label, embeddings: Array.from({ length: count }, (_, i) => embedding(corner, 100 * corner + from + i)) };
}

const twoClasses = (count = 3) => [classOf('a', 0, count), classOf('b', 1, count)];

async function settled(name: string): Promise<Head> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { body } = await call(`GET /v1/heads/${name}`);
    if (body.state === 'ready' || body.state === 'failed') return body;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${name} does not settle`);
}

describe('a head of pictures', () => {
  it('answers in every dialect, by its own labels', async () => {
    const form = new FormData();
    form.append('name', 'pictures');
    form.append('photo', new Blob([photo]), 'photo.png');
    for (const file of ['png-gray.png', 'jpeg-16x16.jpg']) {
      form.append('other', new Blob([await readFixture(`images/${file}`)]), file);
    }
    const made = await call('POST /v1/heads', form);
    expect(made, JSON.stringify(made.body)).toMatchObject({ status: 201, body: { state: 'ready' } });
    const classified = await call<{ predictions: { label: string }[] }>('POST /v1/classify?model=pictures', photo);
    expect(classified.body).toMatchObject({
      model: { name: 'pictures', version: made.body.versions[0]!.version },
      predictions: [{ label: 'photo', index: 1 }, { label: 'other' }],
    });
    const hf = await call<{ label: string }[]>('POST /models/pictures', photo);
    expect(hf.body.map(({ label }) => label)).toEqual(['photo', 'other']);
    const ai = await call<{ result: unknown[] }>('POST /ai/run/pictures', photo);
    expect(ai.body.result).toHaveLength(2);
    const metadata = await call<{ outputs: unknown[] }>('GET /v2/models/pictures');
    expect(metadata.body.outputs).toContainEqual({ name: 'logits', datatype: 'FP32', shape: [-1, 2] });
    const models = await call<{ heap_bytes: number }>('GET /v1/models');
    expect(JSON.stringify(models.body)).not.toContain('"pictures"');
  });

  it('is trained behind a 202 where there are more than a request embeds', async () => {
    const form = new FormData();
    form.append('name', 'many');
    for (let i = 0; i < 17; i++) {
      const name = ['png-gray.png', 'jpeg-16x16.jpg', 'bmp-rgb.bmp'][i % 3]!;
      const bytes = new Uint8Array([...(await readFixture(`images/${name}`)), i]);
      form.append(i % 2 === 0 ? 'even' : 'odd', new Blob([bytes]), name);
    }
    const made = await call('POST /v1/heads', form);
    expect(made).toMatchObject({ status: 202, body: { state: 'embedding', examples: { pending: 17 } } });
    expect(await settled('many')).toMatchObject({ state: 'ready', examples: { pending: 0, ready: 17, failed: 0 } });
    // Their pixels were needed once.
    expect((await env.MODELS.list({ prefix: 'heads/anonymous/pictures/many/' })).objects).toEqual([]);
  });
});

describe('examples', () => {
  it('are added once, corrected, deleted, and each change is a version', async () => {
    const made = await call('POST /v1/heads', { name: 'taught', classes: twoClasses() });
    expect(made.status).toBe(201);
    const again = { classes: [classOf('a', 0, 3), classOf('c', 2, 2)] };
    const added = await call<{ added: number; known: number; ids: string[] }>('POST /v1/heads/taught/examples', again);
    expect(added).toMatchObject({ status: 202, body: { added: 2, known: 3 } });
    const second = await settled('taught');
    expect(second.classes.map(({ label }) => label)).toEqual(['a', 'b', 'c']);
    expect(second.versions).toHaveLength(2);

    const id = added.body.ids[0]!;
    const relabelled = await call(`PATCH /v1/heads/taught/examples/${id}`, { label: 'b' });
    expect(relabelled).toMatchObject({ status: 200, body: { id, labels: ['b'] } });
    // A label that was corrected stays so when the picture is sent again under the old one.
    await call('POST /v1/heads/taught/examples', again);
    expect((await settled('taught')).classes).toContainEqual({ label: 'b', examples: 4 });
    expect((await call(`DELETE /v1/heads/taught/examples/${id}`)).body).toEqual({ deleted: 1 });
    expect((await call(`DELETE /v1/heads/taught/examples/${id}`)).body.code).toBe('example_not_found');
    expect((await call('DELETE /v1/heads/taught/examples?label=c')).body).toEqual({ deleted: 2 });
    const page = await call<{ examples: { id: string }[]; next_cursor: string }>(
      'GET /v1/heads/taught/examples?limit=2',
    );
    const next = await call<{ examples: { id: string }[] }>(
      `GET /v1/heads/taught/examples?cursor=${page.body.next_cursor}`,
    );
    expect(page.body.examples.length + next.body.examples.length).toBe(5);
  });

  it('of another backbone do not mix', async () => {
    await call('POST /v1/heads', { name: 'mixed', classes: twoClasses() });
    const short = { classes: [{ label: 'a', embeddings: [[1, 2, 3]] }] };
    expect((await call('POST /v1/heads/mixed/examples', short)).body.code).toBe('head_backbone_changed');
  });
});

describe('versions', () => {
  it('are the same for the same examples, however they came', async () => {
    const whole = await call('POST /v1/heads', { name: 'whole', classes: twoClasses() });
    await call('POST /v1/heads', { name: 'parts', classes: twoClasses(2) });
    await call('POST /v1/heads/parts/examples', { classes: twoClasses() });
    expect((await settled('parts')).aliases.latest).toBe(whole.body.aliases.latest);
  });

  it('are named by aliases, rolled back, and deleted where no alias names them', async () => {
    const made = await call('POST /v1/heads', { name: 'rolled', classes: twoClasses() });
    const first = made.body.aliases.latest!;
    await call('POST /v1/heads/rolled/examples', { classes: [classOf('a', 0, 2, 50)] });
    const trained = await call('POST /v1/heads/rolled/train');
    const second = trained.body.aliases.latest!;
    expect(second).not.toBe(first);
    const back = await call('POST /v1/heads/rolled/aliases/latest/rollback');
    expect(back.body).toEqual({ name: 'rolled', alias: 'latest', from: second, to: first });
    expect((await call('POST /v1/heads/rolled/aliases/latest/rollback')).body.code).toBe('head_not_found');
    expect((await call(`DELETE /v1/heads/rolled@${first}`)).body.code).toBe('conflict');
    expect((await call(`DELETE /v1/heads/rolled@${second}`)).status).toBe(200);
    expect((await call(`PUT /v1/heads/rolled/aliases/latest`, { version: second })).body.code).toBe('head_not_found');
    expect((await call('DELETE /v1/heads/rolled')).status).toBe(200);
    expect((await call('GET /v1/heads/rolled')).status).toBe(404);
    expect((await env.MODELS.list({ prefix: 'heads/anonymous/versions/rolled/' })).objects).toEqual([]);
    expect((await call('POST /v1/heads', { name: 'rolled', classes: twoClasses() })).status).toBe(201);
  });

  it('are promoted as the head says', async () => {
    const made = await call('POST /v1/heads', { name: 'kept', promote: 'never', classes: twoClasses() });
    const first = made.body.aliases.latest;
    await call('POST /v1/heads/kept/examples', { classes: [classOf('a', 0, 2, 50)] });
    expect((await call('POST /v1/heads/kept/train')).body).toMatchObject({ aliases: { latest: first } });
    await call('PATCH /v1/heads/kept', { promote: 'if_better' });
    // Half of class b is now where class a is: the estimate falls.
    await call('POST /v1/heads/kept/examples', { classes: [classOf('b', 0, 5, 70)] });
    const worse = await call('POST /v1/heads/kept/train');
    expect(worse.body.versions[0]!.accuracy).toBeLessThan(0.9);
    expect(worse.body.aliases.latest).toBe(first);
  });
});

describe('the report', () => {
  it('is JSON, a page and a picture, with labels that mean nothing to HTML', async () => {
    const label = '<script>alert(1)</script>|';
    await call('POST /v1/heads', { name: 'hostile', classes: [{ ...classOf(label, 0, 3) }, classOf('b', 1, 3)] });
    const report = await call<{ classes: { label: string }[] }>('GET /v1/heads/hostile/report');
    expect(report.body.classes.map((each) => each.label)).toContain(label);
    for (const [format, type] of [
      ['markdown', 'text/markdown'],
      ['svg', 'image/svg+xml'],
    ]) {
      const response = await SELF.fetch(`http://localhost/v1/heads/hostile/report?format=${format}`);
      expect(response.headers.get('content-type')).toContain(type);
      expect(await response.text()).not.toContain('<script>');
    }
  });
});

describe('what cannot be is refused', () => {
  const embeddings = [embedding(0, 1)];
  it.each([
    ['one class', { classes: [classOf('a', 0, 3)] }, 422, 'head_untrainable'],
    ['no example', { classes: [{ label: 'a' }, { label: 'b' }] }, 400, 'missing_image'],
    [
      'another dimension',
      {
        classes: [
          { label: 'a', embeddings: [[1]] },
          { label: 'b', embeddings: [[2]] },
        ],
      },
      409,
      'head_backbone_changed',
    ],
    [
      'a value that is not float32',
      { classes: [{ label: 'a', embeddings: [[1e300]] }, classOf('b', 1, 1)] },
      400,
      'invalid_parameter',
    ],
    [
      'a label of 10 kB',
      { classes: [{ label: 'x'.repeat(10_000), embeddings }, classOf('b', 1, 1)] },
      400,
      'invalid_parameter',
    ],
    ['an empty label', { classes: [{ label: ' ', embeddings }, classOf('b', 1, 1)] }, 400, 'invalid_parameter'],
    ['two labels', { classes: [{ labels: ['a', 'b'], embeddings }, classOf('b', 1, 1)] }, 400, 'invalid_parameter'],
    [
      'a class called unknown',
      { unknown: true, classes: [{ label: 'unknown', embeddings }, classOf('b', 1, 1)] },
      422,
      'head_untrainable',
    ],
    ['an unknown member', { topk: 1, classes: twoClasses(1) }, 400, 'unknown_parameter'],
    ['an unknown backbone', { backbone: 'nobody', classes: twoClasses(1) }, 404, 'model_not_found'],
    [
      'a picture that is none',
      { classes: [{ label: 'a', images: ['AAAA'] }, classOf('b', 1, 1)] },
      415,
      'unrecognized_image',
    ],
  ])('%s', async (_, body, status, code) => {
    expect(await call('POST /v1/heads', { name: 'refused', ...body })).toMatchObject({ status, body: { code } });
    // Nothing is left of it.
    expect((await call('GET /v1/heads/refused')).status).toBe(404);
  });

  it('the name of a model, and a name that is taken', async () => {
    const { body } = await call('POST /v1/heads', { name: 'bit-tiny-200', classes: twoClasses(1) });
    expect(body.code).toBe('conflict');
    await call('POST /v1/heads', { name: 'taken', classes: twoClasses(1) });
    expect((await call('POST /v1/heads', { name: 'taken', classes: twoClasses(1) })).body.code).toBe('conflict');
  });

  it('an archive that is damaged', async () => {
    const headers = { 'content-type': 'application/zip' };
    const zip = new Uint8Array([0x50, 0x4b, 3, 4, 0, 0]);
    expect((await call('POST /v1/heads?name=zip', zip, headers)).body.code).toBe('invalid_body');
  });

  it.each([
    ['labelBytes', (n: number) => ({ classes: [{ label: 'x'.repeat(n), embeddings }, classOf('b', 1, 1)] }), 400],
    [
      'examplesPerClass',
      (n: number) => ({
        method: 'nearest_mean',
        classes: [{ label: 'a', embeddings: base64Embeddings(n) }, classOf('b', 1, 1)],
      }),
      413,
    ],
    [
      'classes',
      (n: number) => ({
        method: 'nearest_mean',
        classes: base64Embeddings(n).map((each, i) => ({ label: `class ${i}`, embeddings: [each] })),
      }),
      413,
    ],
  ] as const)(
    'more than the limit of %s, but not as much',
    async (limit, make, status) => {
      const most = HEAD_LIMITS[limit];
      for (const [n, expected] of [
        [most - 1, 201],
        [most, 201],
        [most + 1, status],
      ] as const) {
        const name = `limit-${limit.toLowerCase()}-${n}`;
        const made = await call('POST /v1/heads', { name, ...make(n) });
        expect(made.status, `${n}: ${JSON.stringify(made.body).slice(0, 300)}`).toBe(expected);
      }
    },
    60_000,
  );
});

describe('an API key', () => {
  it('sees its own heads alone, and those that are shared with it', async () => {
    const [alice, bob, eve] = [await createKey(), await createKey(), await createKey()];
    const as = ({ token }: { token: string }) => ({ authorization: `Bearer ${token}` });
    await call('POST /v1/heads', { name: 'secret', classes: twoClasses() }, as(alice));
    expect((await call('GET /v1/heads/secret', undefined, as(bob))).status).toBe(404);
    const asked = await call('POST /v1/classify?model=secret', photo, as(bob));
    expect(asked).toMatchObject({ status: 404, body: { code: 'model_not_found' } });
    const granted = await call(`PUT /v1/heads/secret/grants/${bob.id}`, undefined, as(alice));
    expect(granted.body.grants).toEqual([bob.id]);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect((await call('POST /v1/classify?model=secret', photo, as(bob))).status).toBe(200);
    // To use is not to change.
    const change = await call('POST /v1/heads/secret/examples', { classes: twoClasses() }, as(bob));
    expect(change.status).toBe(404);
    expect((await call('POST /v1/classify?model=secret', photo, as(eve))).status).toBe(404);
    await call(`DELETE /v1/heads/secret/grants/${bob.id}`, undefined, as(alice));
    expect((await call('POST /v1/classify?model=secret', photo, as(bob))).status).toBe(404);
  });
});

function base64Embeddings(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const bytes = new Uint8Array(Float32Array.from(embedding(i % DIMENSIONS, i)).buffer);
    let binary = '';
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return btoa(binary);
  });
}

async function createKey(): Promise<{ token: string; id: string }> {
  const random = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES));
  const scopes = ['heads', 'classify'] as const;
  const key = { name: 't', scopes, rateTier: 'high', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
  const { token, record } = await mintApiKey(key, random);
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  return { token, id: record.id };
}
