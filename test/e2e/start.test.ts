import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { findFreePort, LOCAL_HOST } from '../../scripts/dev-server.ts';
import { readPhoto } from '../support/photo.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READY_TIMEOUT_MS = 90_000;

/** Output that would make a user think that something is wrong. */
const WARNINGS = /warning|telemetry|`?cf`? object|deprecat|unable to|\bat .+:\d+:\d+/i;

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  output(): string;
}

let state: string;
const running: ChildProcess[] = [];

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'bit-edge-start-'));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(stop));
});

afterAll(async () => {
  await rm(state, { recursive: true, force: true });
});

function npmStart(args: readonly string[]): { child: ChildProcess; output(): string } {
  let text = '';
  const child = spawn('npm', ['start', '--silent', '--', ...args], { cwd: ROOT, detached: true });
  running.push(child);
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { child, output: () => text.replaceAll(/npm warn .*\n/g, '') };
}

async function startAndWait(): Promise<Started> {
  const port = await findFreePort();
  const { child, output } = npmStart(['--port', String(port), '--state', state]);
  await expect.poll(output, { timeout: READY_TIMEOUT_MS, interval: 100 }).toMatch(/^ready .*\n.*curl .*\n/m);
  return { child, url: `http://${LOCAL_HOST}:${port}`, output };
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', resolve));
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGINT');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
  await ended(child);
}

it('npm start: builds and publishes the default model, serves it, and classifies a photo without a warning', async () => {
  const { url, output } = await startAndWait();
  expect(output()).toMatch(/^model {4}\S+@\S+ \(published to local R2\)$/m);
  expect(output()).toContain(`curl --data-binary @photo.jpg ${url}/v1/classify`);
  const response = await fetch(`${url}/v1/classify`, { method: 'POST', body: readPhoto() });
  expect(response.status).toBe(200);
  const answer = (await response.json()) as { predictions: { label: string }[]; image: object; timing: object };
  expect(answer.predictions).toHaveLength(5);
  expect(answer.image).toEqual({ format: 'png', width: 128, height: 128 });
  expect(Object.keys(answer.timing)).toContain('inference_ms');
  expect(output()).not.toMatch(WARNINGS);
});

it('npm start again: keeps local data and publishes nothing', async () => {
  const { output } = await startAndWait();
  expect(output()).toMatch(/^model {4}\S+@\S+ \(is in local R2\)$/m);
});

it('npm start on a taken port: one line, exit code 1', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, LOCAL_HOST, resolve));
  const address = holder.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { child, output } = npmStart(['--port', String(port), '--state', state]);
  expect(await ended(child)).toBe(1);
  expect(output().trim().split('\n')).toEqual([
    `bit-edge: port ${port} of ${LOCAL_HOST} is taken; stop what listens there, or: npm start -- --port ${port + 1}`,
  ]);
  await new Promise((resolve) => holder.close(resolve));
});
