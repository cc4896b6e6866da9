import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { LOCAL_HOST } from '../../scripts/start/dev-server.ts';
import { ended, interrupt, npmStart, type Started, startAndWait } from '../support/npm-start.ts';
import { readPhoto } from '../support/photo.ts';

/** Output that would make a user think that something is wrong. */
const WARNINGS = /warning|telemetry|`?cf`? object|deprecat|unable to|\bat .+:\d+:\d+/i;

let state: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'bit-edge-start-'));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(interrupt));
});

afterAll(async () => {
  await rm(state, { recursive: true, force: true });
});

function start(args: readonly string[]): Started {
  const started = npmStart(args);
  running.push(started.child);
  return started;
}

async function startReady(): Promise<Started & { readonly url: string }> {
  const started = await startAndWait(['--state', state]);
  running.push(started.child);
  return started;
}

it('npm start: builds and publishes the default model, serves it, and classifies a photo without a warning', async () => {
  const { url, output } = await startReady();
  expect(output()).toMatch(/^model {4}\S+@\S+ \(published to local R2\)$/m);
  expect(output()).toContain(`curl --data-binary @examples/lemon.png ${url}/v1/classify`);
  const response = await fetch(`${url}/v1/classify`, { method: 'POST', body: readPhoto() });
  expect(response.status).toBe(200);
  const answer = (await response.json()) as { predictions: { label: string }[]; image: object; timing: object };
  expect(answer.predictions).toHaveLength(5);
  expect(answer.image).toEqual({ format: 'png', width: 128, height: 128 });
  expect(Object.keys(answer.timing)).toContain('inference_ms');
  // A name that no resolver knows: workerd reports it in red, with a stack.
  const unknown = JSON.stringify({ url: 'https://bit-edge-has-no-such-name.com/photo.jpg' });
  const headers = { 'content-type': 'application/json' };
  const failed = await fetch(`${url}/v1/classify`, { method: 'POST', body: unknown, headers });
  expect(await failed.json()).toMatchObject({ code: expect.stringMatching(/^fetch_(failed|timeout)$/) });
  expect(output()).toContain(`${url}/docs`);
  expect(output()).not.toMatch(WARNINGS);
});

it('npm start again: keeps local data and publishes nothing', async () => {
  const { output } = await startReady();
  expect(output()).toMatch(/^model {4}\S+@\S+ \(is in local R2\)$/m);
});

it('npm start on a taken port: one line, exit code 1', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, LOCAL_HOST, resolve));
  const address = holder.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { child, output } = start(['--port', String(port), '--state', state]);
  expect(await ended(child)).toBe(1);
  expect(output().trim().split('\n')).toEqual([
    `bit-edge: port ${port} of ${LOCAL_HOST} is taken; stop what listens there, or: npm start -- --port ${port + 1}`,
  ]);
  await new Promise((resolve) => holder.close(resolve));
});

it.each(['--mdoel x', 'photo.jpg', '--port 0', '--size 31', '--size 224'])(
  'npm start -- %s: what is wrong, the usage, exit code 2',
  async (text) => {
    const args = text.split(' ');
    const { child, output } = start(args);
    expect(await ended(child)).toBe(2);
    expect(output()).toContain(args[0]);
    expect(output()).toContain('usage: npm start --');
  },
);
