/** A backbone that gets another version: heads are embedded again or refused by name, and embeddings of two never mix. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Manifest, parseManifest } from '../../model-store/manifest.ts';
import { publishVersion } from '../../model-store/publish.ts';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { isRefusal } from '../../worker/heads/records.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

interface Head {
  readonly state: string;
  readonly backbone: { readonly name: string; readonly version: string };
  readonly aliases: { readonly latest: string };
  readonly versions: { readonly version: string; readonly backbone: { readonly version: string } }[];
  readonly examples: { readonly pending: number; readonly ready: number; readonly failed: number };
  readonly code: string;
  readonly detail: string;
}

const FILES = ['png-gray.png', 'jpeg-16x16.jpg', 'bmp-rgb.bmp'];

let model: Manifest;
let old: string;
let next: string;

beforeAll(async () => {
  model = await seedDefaultModel();
  old = `${model.name}@${model.version}`;
  next = `${model.name}@next`;
  await seedNextVersion();
  await env.UPLOADS.put('incoming/backbones/photo.png', await readFixture('photo.png'));
  for (const file of FILES) await env.UPLOADS.put(`incoming/backbones/${file}`, await readFixture(`images/${file}`));
});

/** The same network under a version whose preprocessing differs, and so its embeddings. */
async function seedNextVersion(): Promise<void> {
  const preprocessor = JSON.parse(new TextDecoder().decode(await readFixture('model/preprocessor.json'))) as object;
  const bytes = new TextEncoder().encode(JSON.stringify({ ...preprocessor, image_mean: [0.2, 0.3, 0.4] }));
  const reference = { path: model.preprocessor.path, bytes: bytes.byteLength, sha256: await sha256Hex(bytes) };
  const manifest = JSON.stringify({ ...model, version: 'next', preprocessor: reference });
  parseManifest(manifest);
  await publishVersion(new R2ObjectStore(env.MODELS), {
    manifest,
    read: async (path) => (path === reference.path ? bytes : readFixture(`model/${path}`)),
  });
}

async function call(request: string, body?: unknown): Promise<{ status: number; body: Head }> {
  const [method = '', path = ''] = request.split(' ');
  const init: RequestInit = { method };
  if (body instanceof FormData) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  const response = await SELF.fetch(`http://localhost${path}`, init);
  return { status: response.status, body: await response.json() };
}

async function settled(name: string): Promise<Head> {
  const states = ['ready', 'failed'];
  await expect
    .poll(async () => states.includes((await call(`GET /v1/heads/${name}`)).body.state), { timeout: 25_000 })
    .toBe(true);
  return (await call(`GET /v1/heads/${name}`)).body;
}

const located = [
  { label: 'photo', images: [{ r2: 'incoming/backbones/photo.png' }, { r2: 'incoming/backbones/png-gray.png' }] },
  { label: 'other', images: FILES.slice(1).map((file) => ({ r2: `incoming/backbones/${file}` })) },
];

async function formOf(fields: Record<string, string>): Promise<FormData> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append('photo', new Blob([await readFixture('photo.png')]));
  for (const file of FILES) form.append('other', new Blob([await readFixture(`images/${file}`)]));
  return form;
}

describe('a head whose backbone gets another version', () => {
  it('stays on the one that it was made with, until it is told', async () => {
    const made = await call('POST /v1/heads', { name: 'staying', backbone: old, classes: located });
    expect(made, made.body.detail).toMatchObject({ status: 201, body: { backbone: { version: model.version } } });
    const again = await call('PATCH /v1/heads/staying', { backbone: old });
    expect(again).toMatchObject({ status: 200, body: { state: 'ready', aliases: made.body.aliases } });
  });

  it('is embedded again from R2, to the version that it would have been made with', async () => {
    const made = await call('POST /v1/heads', { name: 'moving', backbone: old, classes: located });
    const before = made.body.aliases.latest;
    const moved = await call('PATCH /v1/heads/moving', { backbone: next });
    expect(moved, moved.body.detail).toMatchObject({
      status: 202,
      body: {
        state: 'embedding',
        examples: { pending: 4 },
        backbone: { version: 'next' },
        aliases: { latest: before },
      },
    });
    const after = await settled('moving');
    const fresh = await call('POST /v1/heads', { name: 'fresh', backbone: next, classes: located });
    // One embedding of the old version among them would make other weights, and another name.
    expect(after.aliases.latest).toBe(fresh.body.aliases.latest);
    expect(after.aliases.latest).not.toBe(before);
    expect(after.versions.map(({ version, backbone }) => [version, backbone.version])).toEqual([
      [after.aliases.latest, 'next'],
      [before, model.version],
    ]);
    // The version before answers as before, on its own backbone.
    const photo = await readFixture('photo.png');
    for (const version of [before, after.aliases.latest]) {
      const asked = `http://localhost/v1/classify?model=moving@${version}`;
      const ask = async (): Promise<unknown> => (await SELF.fetch(asked, { method: 'POST', body: photo })).json();
      await expect
        .poll(ask, { timeout: 25_000 })
        .toMatchObject({ model: { version }, predictions: [{ label: 'photo' }, {}] });
    }
  });

  it('is embedded again from pictures that were kept', async () => {
    await call('POST /v1/heads', await formOf({ name: 'keeping', backbone: old, keep_pictures: 'true' }));
    expect((await call('PATCH /v1/heads/keeping', { backbone: next })).status).toBe(202);
    const fresh = await call('POST /v1/heads', await formOf({ name: 'fresh-kept', backbone: next }));
    expect((await settled('keeping')).aliases.latest).toBe(fresh.body.aliases.latest);
  });

  it('is refused by name where its pictures are gone, and changes nothing', async () => {
    const made = await call('POST /v1/heads', await formOf({ name: 'bound', backbone: old }));
    const moved = await call('PATCH /v1/heads/bound', { backbone: next, method: 'nearest_mean' });
    expect(moved).toMatchObject({ status: 409, body: { code: 'head_backbone_changed', examples: 4 } });
    expect(moved.body.detail).toContain(next);
    expect((await call('GET /v1/heads/bound')).body).toEqual(made.body);
  });

  it('lists what cannot be read any more, and trains on the rest', async () => {
    await env.UPLOADS.put('incoming/backbones/gone.png', await readFixture('images/png-gray.png'));
    const classes = [...located, { label: 'other', images: [{ r2: 'incoming/backbones/gone.png' }] }];
    await call('POST /v1/heads', { name: 'losing', backbone: old, classes });
    await env.UPLOADS.delete('incoming/backbones/gone.png');
    await call('PATCH /v1/heads/losing', { backbone: next });
    const after = await settled('losing');
    expect(after).toMatchObject({ state: 'ready', examples: { pending: 0, ready: 4, failed: 1 } });
  });
});

describe('embeddings of the version before', () => {
  it('are refused where a request says what they are of', async () => {
    await call('POST /v1/heads', { name: 'saying', backbone: next, classes: located });
    const classes = [{ label: 'photo', embeddings: [Array(1024).fill(1)] }];
    const added = await call('POST /v1/heads/saying/examples', { backbone: old, classes });
    expect(added).toMatchObject({ status: 409, body: { code: 'head_backbone_changed' } });
  });

  it('are refused where they were made while the head moved on', async () => {
    await call('POST /v1/heads', { name: 'racing', backbone: next, classes: located });
    const stub = env.HEADS.get(env.HEADS.idFromName('anonymous/racing'));
    const late = {
      sha256: '0'.repeat(64),
      labels: ['photo'],
      source: { kind: 'embedding' },
      embedding: new Uint8Array(4 * 1024),
      stored: false,
    } as const;
    const refused = await stub.add([late], { name: model.name, version: model.version });
    expect(isRefusal(refused) && refused.refused.code).toBe('head_backbone_changed');
    expect(isRefusal(await stub.add([late], { name: model.name, version: 'next' }))).toBe(false);
  });

  it('are not judged in one pass with others: a policy of two such heads is refused by name', async () => {
    await call('POST /v1/heads', { name: 'on-old', backbone: old, classes: located });
    await call('POST /v1/heads', { name: 'on-next', backbone: next, classes: located });
    const head_labels = { 'on-old': ['photo'], 'on-next': ['photo'] };
    const policy = {
      schema_version: 1,
      name: 'of-two',
      version: '1',
      model: { name: model.name },
      heads: [{ name: 'on-old' }, { name: 'on-next' }],
      categories: [{ name: 'c', head_labels, thresholds: { block: 0.5 } }],
    };
    const refused = await call('POST /v1/policies', { policy });
    expect(refused).toMatchObject({ status: 422, body: { code: 'invalid_policy' } });
    expect(refused.body.detail).toContain(`heads[1]: is of ${next}; the policy's model is ${old}`);
    // Published while both were of one version, and then one moved on.
    await call('POST /v1/heads', { name: 'on-old-too', backbone: old, classes: located });
    const both = { 'on-old': ['photo'], 'on-old-too': ['photo'] };
    const heads = [{ name: 'on-old' }, { name: 'on-old-too' }];
    const categories = [{ ...policy.categories[0], head_labels: both }];
    const published = await call('POST /v1/policies', { policy: { ...policy, heads, categories } });
    expect(published.status, published.body.detail).toBe(201);
    await call('PATCH /v1/heads/on-old-too', { backbone: next });
    await settled('on-old-too');
    // This isolate forgets what it knew of the head.
    await call('POST /v1/heads/on-old-too/train');
    const ask = async (): Promise<string> => {
      const body = await readFixture('photo.png');
      const response = await SELF.fetch('http://localhost/v1/moderate?policy=of-two', { method: 'POST', body });
      return ((await response.json()) as Head).detail ?? '';
    };
    expect(await ask()).toContain(`head on-old-too is of ${next}, not of ${old}`);
  });
});
