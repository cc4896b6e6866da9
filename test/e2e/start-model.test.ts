/**
 * `npm start -- --model` with a repository on the hub: a stub of the hub serves the layout of google/bit-50 (a config of
 * transformers 4.26, a pickle) around a random network; Hugging Face's class gave its logits (scripts/goldens/bit_50_layout.py).
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { findFreePort } from '../../scripts/start/dev-server.ts';
import { COMMIT, type HubServer, startHub } from '../support/hub-server.ts';
import { ended, interrupt, npmStart, type Started, startAndWait } from '../support/npm-start.ts';
import { readPhoto } from '../support/photo.ts';

const ID = 'google/bit-50';
const FIXTURE = new URL('../fixtures/bit-50-layout/', import.meta.url);

let root: string;
let hub: HubServer;
const running: ChildProcess[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-start-model-'));
  hub = await startHub();
  const read = async (file: string) => new Uint8Array(await readFile(new URL(file, FIXTURE)));
  const files = ['config.json', 'preprocessor_config.json', 'pytorch_model.bin'];
  hub.behaviour.repositories[ID] = Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await read(file)] as const)),
  );
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(interrupt));
});

afterAll(async () => {
  await hub.close();
  await rm(root, { recursive: true, force: true });
});

function environment(): Record<string, string> {
  return { HF_ENDPOINT: hub.endpoint, BIT_EDGE_CACHE: join(root, 'cache') };
}

async function start(...args: readonly string[]): Promise<Started & { readonly url: string }> {
  const started = await startAndWait(['--state', join(root, 'state'), ...args], environment());
  running.push(started.child);
  return started;
}

it('downloads, imports, publishes and serves it as the default model, with the logits of its reference', async () => {
  hub.behaviour.breakAfterBytes = 100_000;
  hub.behaviour.breaksLeft = 1;
  const { url, output } = await start('--model', ID);
  expect(output()).toMatch(/^model {4}bit-50@sha-\w+ \(published to local R2\)$/m);
  const classified = await fetch(`${url}/v1/classify`, { method: 'POST', body: readPhoto() });
  expect(await classified.json()).toMatchObject({ model: { name: 'bit-50' }, predictions: expect.any(Array) });

  const { picture, logits } = JSON.parse(await readFile(new URL('expected.json', FIXTURE), 'utf8')) as {
    picture: string;
    logits: number[];
  };
  const query = '?function_to_apply=none&top_k=100';
  const response = await fetch(`${url}/v1/classify${query}`, { method: 'POST', body: await readFile(picture) });
  const { predictions } = (await response.json()) as { predictions: { index: number; score: number }[] };
  expect(predictions).toHaveLength(logits.length);
  // It is served as int8. A random network of few channels amplifies rounding; a wrong weight or layout gives errors near 1.
  const difference = predictions.reduce((sum, { index, score }) => sum + Math.abs(score - logits[index]!), 0);
  const magnitude = logits.reduce((sum, value) => sum + Math.abs(value), 0);
  expect(difference / magnitude).toBeLessThan(0.05);
  expect(predictions[0]!.index).toBe(logits.indexOf(Math.max(...logits)));
});

it('starts at once the next time: nothing is downloaded, imported or published again', async () => {
  hub.seen.length = 0;
  const { url, output } = await start('--model', ID);
  expect(output()).toMatch(/^model {4}bit-50@sha-\w+ \(is in local R2\)$/m);
  expect(output()).not.toContain('measuring');
  expect(hub.seen.map(({ method }) => method)).toEqual(['HEAD']);
  expect((await fetch(`${url}/v1/classify`, { method: 'POST', body: readPhoto() })).status).toBe(200);
});

it('serves it at another resolution with --size, and at its own again without', async () => {
  const sideOf = async (url: string): Promise<unknown> => {
    const metadata = await (await fetch(`${url}/v2/models/bit-50`)).json();
    return (metadata as { inputs: { shape: number[] }[] }).inputs[0]!.shape.at(-1);
  };
  const small = await start('--model', ID, '--size', '48');
  expect(await sideOf(small.url)).toBe(48);
  expect((await fetch(`${small.url}/v1/classify`, { method: 'POST', body: readPhoto() })).status).toBe(200);
  await interrupt(small.child);
  const own = await start('--model', ID);
  expect(own.output()).toMatch(/^model {4}bit-50@sha-\w+ \(is in local R2\)$/m);
  expect(await sideOf(own.url)).toBe(64);
});

it('asks nobody about a commit that it has, and serves what it has if the hub is down', async () => {
  const pinned = await start('--model', `${ID}@${COMMIT}`);
  expect((await fetch(`${pinned.url}/readyz`)).status).toBe(200);
  await interrupt(pinned.child);
  hub.behaviour.busyLeft = 1000;
  hub.seen.length = 0;
  await start('--model', `${ID}@${COMMIT}`);
  expect(hub.seen).toEqual([]);
  const { output } = await start('--model', ID);
  expect(output()).toContain(`using what was imported before: ${COMMIT}`);
  hub.behaviour.busyLeft = 0;
});

it.each([
  ['google/none', 'google/none is not on the hub, or is private'],
  [`${ID}@v9`, `${ID} has no revision "v9"`],
  ['no/such/folder', 'no such file or folder, and no name of a repository on the hub'],
])('--model %s: one line, exit code 1', async (model, message) => {
  const { child, output } = npmStart(
    ['--model', model, '--port', String(await findFreePort()), '--state', join(root, 'state')],
    environment(),
  );
  running.push(child);
  expect(await ended(child)).toBe(1);
  expect(output()).toContain(message);
});
