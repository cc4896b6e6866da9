/** `/v1/models/...`: what a version is, and what an admin may change. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, expect, it } from 'vitest';
import type { Manifest } from '../../model-store/manifest.ts';
import { publishVersion } from '../../model-store/publish.ts';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { resolveAlias } from '../../model-store/versions.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

let manifest: Manifest;

beforeAll(async () => {
  manifest = await seedDefaultModel();
});

async function call(method: string, path: string, body?: object, origin = 'http://localhost') {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await SELF.fetch(`${origin}/v1/models${path}`, init);
  const text = await response.text();
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as unknown };
}

it('gives the facts of the manifest under the name, a version and an alias alike', async () => {
  const { name, version, num_labels, config } = manifest;
  const plain = await call('GET', `/${name}`);
  expect(plain).toMatchObject({ status: 200, body: { name, version, aliases: ['latest'], num_labels, config } });
  expect(await call('GET', `/${name}@latest`)).toEqual(plain);
  expect(await call('GET', `/${name}@${version}`)).toEqual(plain);
});

it('links to the labels', async () => {
  const { body } = await call('GET', `/${manifest.name}`);
  const { labels: link } = body as { labels: string };
  const labels = JSON.parse(new TextDecoder().decode(await readFixture('model/labels.json'))) as string[];
  expect(await call('GET', link.replace('/v1/models', ''))).toEqual({ status: 200, body: { labels } });
});

it('answers HEAD as GET without a body, and OPTIONS with the methods', async () => {
  const url = `http://localhost/v1/models/${manifest.name}`;
  const head = await SELF.fetch(url, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  const options = await SELF.fetch(`${url}/aliases/x`, { method: 'OPTIONS' });
  expect([options.status, options.headers.get('allow')]).toEqual([204, 'DELETE, OPTIONS, PUT']);
});

it('moves, makes and removes aliases', async () => {
  const { name, version } = manifest;
  const made = { name, alias: 'canary', from: null, to: version };
  expect(await call('PUT', `/${name}/aliases/canary`, { version })).toEqual({ status: 200, body: made });
  const store = new R2ObjectStore(env.MODELS);
  expect((await resolveAlias(store, name, 'canary'))?.version).toBe(version);
  const removed = { name, alias: 'canary', from: version, to: null };
  expect(await call('DELETE', `/${name}/aliases/canary`)).toEqual({ status: 200, body: removed });
  expect(await resolveAlias(store, name, 'canary')).toBeNull();
  expect(await call('DELETE', `/${name}/aliases/canary`)).toMatchObject({ status: 404 });
});

it('refuses an alias of a version that is not there, and what it does not know', async () => {
  const path = `/${manifest.name}/aliases/canary`;
  expect(await call('PUT', path, { version: 'v0' })).toMatchObject({ status: 404, body: { code: 'model_not_found' } });
  expect(await call('PUT', path, { version: 'V 0' })).toMatchObject({ body: { code: 'invalid_parameter' } });
  expect(await call('PUT', path, { to: 'v0' })).toMatchObject({ status: 400 });
  expect(await call('GET', '?x=1')).toMatchObject({ status: 400, body: { code: 'unknown_parameter' } });
  expect(await call('GET', '/nobody')).toMatchObject({ status: 404, body: { code: 'model_not_found' } });
});

it('lets no one change anything without a key where a deployment has none', async () => {
  const { name, version } = manifest;
  const elsewhere = 'https://bit-edge.example';
  expect(await call('PUT', `/${name}/aliases/canary`, { version }, elsewhere)).toMatchObject({ status: 500 });
  expect(await call('POST', `/${name}/warm`, undefined, elsewhere)).toMatchObject({ status: 500 });
});

it('warms a version: then it is loaded', async () => {
  const { name, version } = manifest;
  expect(await call('POST', `/${name}/warm`)).toMatchObject({ status: 200, body: { name, version, loaded: true } });
  expect(await call('GET', `/${name}`)).toMatchObject({ body: { loaded: true } });
});

it('lists aliases with what they named, and rolls one back to it', async () => {
  const { name, version } = manifest;
  await call('PUT', `/${name}/aliases/stage`, { version });
  const listed = await call('GET', `/${name}/aliases`);
  const stage = { alias: 'stage', version, updated_at: expect.stringMatching(/Z$/), history: [] };
  expect(listed).toMatchObject({ status: 200, body: { aliases: expect.arrayContaining([stage]) } });
  const nothing = await call('POST', `/${name}/aliases/stage/rollback`);
  expect(nothing).toMatchObject({ status: 404, body: { code: 'model_not_found' } });
  const store = new R2ObjectStore(env.MODELS);
  const second = JSON.stringify({ ...manifest, version: 'second' });
  await publishVersion(store, { manifest: second, read: (path) => readFixture(`model/${path}`) });
  await call('PUT', `/${name}/aliases/stage`, { version: 'second' });
  const back = await call('POST', `/${name}/aliases/stage/rollback`);
  expect(back).toEqual({ status: 200, body: { name, alias: 'stage', from: 'second', to: version } });
  expect(await resolveAlias(store, name, 'stage')).toMatchObject({ version, history: [] });
});

it('gives the report of an import, and 404 not_found where there is none', async () => {
  const { name } = manifest;
  expect(await call('GET', `/${name}/report`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  const report = new TextEncoder().encode(JSON.stringify({ schema_version: 1, name, version: 'reported' }));
  const reference = { path: 'report.json', bytes: report.byteLength, sha256: await sha256Hex(report) };
  const text = JSON.stringify({ ...manifest, version: 'reported', report: reference });
  const read = (path: string) => (path === 'report.json' ? Promise.resolve(report) : readFixture(`model/${path}`));
  await publishVersion(new R2ObjectStore(env.MODELS), { manifest: text, read });
  expect(await call('GET', `/${name}@reported/report`)).toEqual({
    status: 200,
    body: { schema_version: 1, name, version: 'reported' },
  });
});
