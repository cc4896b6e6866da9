/** A deployment is backed up, everything of it is deleted, and it is restored. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { drawFruit, FRUIT } from '../../scripts/demo/draw-fruit.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { bitEdge } from '../support/command-line.ts';

const READY_TIMEOUT_MS = 90_000;
const POLICY = {
  schema_version: 1,
  name: 'shop',
  version: '1',
  model: { name: 'bit-tiny-200', reference: 'latest' },
  activation: 'softmax',
  categories: [{ name: 'fruit', labels: ['lemon'], combine: 'sum', thresholds: { block: 0.5 } }],
};

let root: string;
let state: string;
let server: DevServer | null = null;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-backup-'));
  state = join(root, 'state');
});

afterAll(async () => {
  await server?.stop();
  await rm(root, { recursive: true, force: true });
});

async function start(): Promise<string> {
  server = await startDevServer({ port: await findFreePort(), statePath: state });
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
  return server.url;
}

async function stop(): Promise<void> {
  await server?.stop();
  server = null;
}

/** What a user sees of all that a backup holds. */
async function observe(url: string, key: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${key}` };
  const get = async (path: string): Promise<unknown> => (await fetch(url + path, { headers })).json();
  const body = await readFile('examples/lemon.png');
  const classify = async (query: string): Promise<unknown> => {
    const response = await fetch(`${url}/v1/classify${query}`, { method: 'POST', body, headers });
    const { model, predictions } = (await response.json()) as { model: unknown; predictions: unknown };
    return { status: response.status, model, predictions };
  };
  return {
    key: await get('/v1/key'),
    policy: await get('/v1/policies/shop'),
    aliases: await get('/v1/models/bit-tiny-200/aliases'),
    model: await classify(''),
    head: await classify('?model=fruit'),
  };
}

it('backup, deletion of everything, restore: models, aliases, policies, keys and heads answer as before', async () => {
  await seedDefaultModel(state);
  const store = ['--persist-to', state];
  const scopes = 'classify,embed,moderate,jobs,heads,admin';
  const created = await bitEdge(['keys', 'create', '--name', 'ops', '--scopes', scopes, '--state', state, '--json']);
  const { token } = JSON.parse(created.stdout) as { token: string };
  const headers = { authorization: `Bearer ${token}` };
  const url = await start();
  const json = { ...headers, 'content-type': 'application/json' };
  const policy = await fetch(`${url}/v1/policies`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ policy: POLICY, alias: 'latest' }),
  });
  expect(await policy.text()).toContain('shop');
  expect(policy.status).toBeLessThan(300);
  await fetch(`${url}/v1/models/bit-tiny-200/aliases/stable`, {
    method: 'PUT',
    headers: json,
    body: JSON.stringify({ version: 'latest' }),
  });
  const form = new FormData();
  form.append('name', 'fruit');
  for (const fruit of FRUIT) {
    for (let i = 0; i < 3; i++)
      form.append(fruit, new Blob([new Uint8Array(drawFruit(fruit, i))]), `${fruit}-${i}.png`);
  }
  expect((await fetch(`${url}/v1/heads`, { method: 'POST', headers, body: form })).status).toBe(201);
  const inputs = JSON.stringify({ inputs: [{ r2: 'uploads/missing.png' }] });
  const job = (await (await fetch(`${url}/v1/jobs`, { method: 'POST', headers: json, body: inputs })).json()) as {
    id: string;
  };
  const before = await observe(url, token);
  expect(before).toMatchObject({
    key: { scopes: expect.arrayContaining(['admin']) },
    head: { status: 200 },
    model: { status: 200 },
  });

  const backup = join(root, 'backup');
  const made = await bitEdge(['backup', backup, ...store, '--url', url, '--key', token, '--json']);
  expect(made).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await readFile(join(backup, 'records/jobs.ndjson'), 'utf8')).toContain(job.id);
  expect(await readFile(join(backup, 'backup.json'), 'utf8')).not.toContain(token);
  await stop();
  await rm(state, { recursive: true });

  expect(await bitEdge(['restore', backup, ...store])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^\d+ objects written, 0 were there, 0 kept/),
  });
  expect(await observe(await start(), token)).toEqual(before);
}, 300_000);
