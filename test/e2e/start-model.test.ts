/** `npm start -- --model` with a repository on the hub: a stub of the hub serves a random network, HF's class gave its outputs. */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { readSafetensors, tensorToFloat32 } from '../../model-store/safetensors.ts';
import { findFreePort } from '../../scripts/dev-server.ts';
import { ended, interrupt, npmStart, type Started, startAndWait } from '../support/npm-start.ts';
import { readPhoto } from '../support/photo.ts';
import { COMMIT, type HubServer, startHub } from '../unit/scripts/hub-server.ts';

const ID = 'google/bit-50';
const FIXTURE = new URL('../fixtures/bit/default/', import.meta.url);
const SIDE_PX = 64;

let root: string;
let hub: HubServer;
const running: ChildProcess[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-start-model-'));
  hub = await startHub();
  const read = async (file: string) => new Uint8Array(await readFile(new URL(file, FIXTURE)));
  const processor = { size: { shortest_edge: SIDE_PX }, crop_size: { height: SIDE_PX, width: SIDE_PX } };
  hub.behaviour.repositories[ID] = {
    'config.json': await read('config.json'),
    'preprocessor_config.json': new TextEncoder().encode(JSON.stringify(processor)),
    'model.safetensors': await read('model.safetensors'),
  };
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

  const { tensors } = readSafetensors(new Uint8Array(await readFile(new URL('io.safetensors', FIXTURE))));
  const [pixels, logits] = [
    tensors.get(`pixel_values.${SIDE_PX}x${SIDE_PX}`)!,
    tensors.get(`logits.${SIDE_PX}x${SIDE_PX}`)!,
  ];
  const data = Array.from(tensorToFloat32(pixels));
  const response = await fetch(`${url}/v2/models/bit-50/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      inputs: [{ name: 'pixel_values', shape: pixels.shape, datatype: 'FP32', data }],
      outputs: [{ name: 'logits' }],
    }),
  });
  const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
  const expected = tensorToFloat32(logits);
  const scale = Math.max(...expected.map(Math.abs));
  expect(outputs[0]!.data).toHaveLength(expected.length);
  for (const [index, value] of outputs[0]!.data.entries()) {
    expect(Math.abs(value - expected[index]!) / scale).toBeLessThan(1e-4);
  }
});

it('starts at once the next time: nothing is downloaded, imported or published again', async () => {
  hub.seen.length = 0;
  const { url, output } = await start('--model', ID);
  expect(output()).toMatch(/^model {4}bit-50@sha-\w+ \(is in local R2\)$/m);
  expect(output()).not.toContain('measuring');
  expect(hub.seen.map(({ method }) => method)).toEqual(['HEAD']);
  expect((await fetch(`${url}/v1/classify`, { method: 'POST', body: readPhoto() })).status).toBe(200);
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
