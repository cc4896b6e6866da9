/** A version for GPU backends alone, on an edge that cannot run it: every route says so by name, and nothing else suffers. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, expect, it } from 'vitest';
import { parseManifest } from '../../model-store/manifest.ts';
import { publishVersion } from '../../model-store/publish.ts';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { moveAlias } from '../../model-store/versions.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const NAME = 'bit-152x4';

let photo: Uint8Array<ArrayBuffer>;
let base64: string;

beforeAll(async () => {
  const { name, version } = await seedDefaultModel();
  photo = await readFixture('photo.png');
  base64 = Buffer.from(photo).toString('base64');
  const store = new R2ObjectStore(env.MODELS);
  const original = parseManifest(await (await env.MODELS.get(`models/${name}/${version}/manifest.json`))!.text());
  const text = JSON.stringify({
    ...original,
    name: NAME,
    variants: { gpu: original.variants.gpu },
    default_variant: 'gpu',
  });
  await publishVersion(store, { manifest: text, read: (path) => readFixture(`model/${path}`) });
  await moveAlias(store, NAME, 'latest', version, '2026-01-01T00:00:00Z');
});

it.each([
  ['POST', `/v1/classify?model=${NAME}`],
  ['POST', `/v1/embed?model=${NAME}`],
  ['POST', `/v1/features?model=${NAME}&outputs=stage1`],
  ['POST', `/models/${NAME}`],
  ['POST', `/models/${NAME}/pipeline/feature-extraction`],
  ['POST', `/ai/run/${NAME}`],
  ['POST', `/v1/models/${NAME}/warm`],
  ['GET', `/v2/models/${NAME}`],
  ['GET', `/v2/models/${NAME}/ready`],
])('%s %s: model_too_large, and where it runs', async (method, path) => {
  const body = method === 'POST' ? { body: photo } : {};
  const response = await SELF.fetch(`http://localhost${path}`, { method, ...body });
  const text = await response.text();
  expect(response.headers.get('x-error-code') ?? JSON.parse(text).code).toBe('model_too_large');
  expect(text).toContain(`has a \\"gpu\\" variant alone`);
});

it('is refused the same way where only the body names it', async () => {
  const requests = [
    ['/v1/classify', JSON.stringify({ image: base64, model: NAME })],
    ['/v1/jobs', JSON.stringify({ model: NAME, inputs: ['incoming/photo.png'] })],
  ] as const;
  for (const [path, body] of requests) {
    const headers = { 'content-type': 'application/json' };
    const response = await SELF.fetch(`http://localhost${path}`, { method: 'POST', body, headers });
    expect(await response.json()).toMatchObject({ code: 'model_too_large' });
  }
});

it('is described as it is, and the default model goes on answering', async () => {
  const description = await SELF.fetch(`http://localhost/v1/models/${NAME}`);
  expect(await description.json()).toMatchObject({
    default_variant: 'gpu',
    variants: [{ name: 'gpu' }],
    loaded: false,
  });
  expect((await SELF.fetch('http://localhost/v1/classify', { method: 'POST', body: photo })).status).toBe(200);
  expect((await SELF.fetch('http://localhost/v2/models/bit-tiny-200')).status).toBe(200);
});
