/** GPU workers that pull from `wrangler dev`: one is frozen with chunks in its hands, one is killed, and every item has one result. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SeededImages, seedImages } from '../../scripts/soak/seed-images.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { BACKEND_INSTALLED, SKIP_REASON } from '../support/gpu-process.ts';
import { killWorkers, startWorker, type WorkerProcess } from '../support/gpu-worker.ts';

const READY_TIMEOUT_MS = 90_000;
const POLL = { timeout: 90_000, interval: 200 };

let root: string;
let seeded: SeededImages;
let server: DevServer;
let images: Server;

interface ResultLine {
  readonly index: number;
  readonly id: string;
  readonly status: string;
  readonly engine?: string;
  readonly predictions?: readonly { readonly label: string; readonly score: number }[];
  readonly embedding?: string;
  readonly error?: { readonly code: string };
}

beforeAll(async () => {
  if (!BACKEND_INSTALLED) return;
  root = await mkdtemp(join(tmpdir(), 'bit-edge-gpu-work-'));
  const state = join(root, 'state');
  await seedDefaultModel(state);
  seeded = await seedImages(state, 12);
  images = createServer((_, response) => {
    response.writeHead(503);
    response.end();
  });
  await new Promise<void>((resolve) => images.listen(0, '127.0.0.1', resolve));
  const { port } = images.address() as AddressInfo;
  server = await startDevServer({
    port: await findFreePort(),
    statePath: state,
    variables: {
      AUTH: 'none',
      JOB_ENGINE: 'gpu',
      JOB_TICK_MS: '500',
      JOB_RETRY_SECONDS: '0',
      WORK_LEASE_SECONDS: '3',
      FETCH_EXEMPT_ORIGINS: `http://127.0.0.1:${port}`,
    },
  });
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
});

afterAll(async () => {
  killWorkers();
  await server?.kill();
  images?.close();
  if (root !== undefined) await rm(root, { recursive: true });
});

async function submit(lines: object[], query: string): Promise<string> {
  const response = await fetch(`${server.url}/v1/jobs?${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}

async function results(id: string): Promise<ResultLine[]> {
  const state = async () => ((await (await fetch(`${server.url}/v1/jobs/${id}`)).json()) as { state: string }).state;
  await expect.poll(state, POLL).toBe('completed');
  const text = await (await fetch(`${server.url}/v1/jobs/${id}/results`)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultLine);
}

function worker(args: readonly string[] = []): WorkerProcess {
  return startWorker(server.url, join(root, 'cache'), args);
}

function logged({ events }: WorkerProcess, event: string): () => boolean {
  return () => events.some((each) => each.event === event);
}

const inputs = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ r2: seeded.images[index % 12], id: `item-${index}` }));

describe.skipIf(!BACKEND_INSTALLED)(`workers that pull${SKIP_REASON}`, () => {
  test('answer a job; broken images and servers that are down are failed items; SIGTERM ends them with 0', async () => {
    const first = worker(['--port', '0']);
    const { port } = images.address() as AddressInfo;
    const lines = [
      ...inputs(20),
      { r2: seeded.broken, id: 'broken' },
      { url: `http://127.0.0.1:${port}/x`, id: 'down' },
    ];
    const id = await submit(lines, 'top_k=2');
    const found = await results(id);
    expect(found.map(({ index, id: name }) => [index, name])).toEqual(lines.map((line, index) => [index, line.id]));
    expect(found.slice(20).map(({ error }) => error?.code)).toEqual(['truncated_image', 'fetch_failed']);
    for (const { status, engine, predictions } of found.slice(0, 20)) {
      expect({ status, engine, count: predictions?.length }).toEqual({ status: 'succeeded', engine: 'gpu', count: 2 });
    }
    expect(found[12]!.predictions).toEqual(found[0]!.predictions);
    const embedded = await results(await submit(inputs(3), 'task=embed'));
    expect(embedded.map(({ embedding }) => typeof embedding)).toEqual(['string', 'string', 'string']);
    first.process.kill('SIGTERM');
    expect(await first.exit).toBe(0);
    expect(first.errors()).toBe('');
  });

  test('that are frozen or killed with chunks in their hands lose nothing and double nothing', async () => {
    const frozen = worker();
    await expect.poll(logged(frozen, 'working'), POLL).toBe(true);
    const id = await submit(inputs(1500), 'top_k=1');
    await expect.poll(logged(frozen, 'progress'), POLL).toBe(true);
    frozen.process.kill('SIGSTOP');
    const killed = worker();
    await expect.poll(logged(killed, 'progress'), POLL).toBe(true);
    killed.process.kill('SIGKILL');
    const last = worker();
    const found = await results(id);
    expect(found.map(({ index }) => index)).toEqual(Array.from({ length: 1500 }, (_, index) => index));
    expect(found.filter(({ status, engine }) => status !== 'succeeded' || engine !== 'gpu')).toEqual([]);
    // Awake again, it reports what nobody waits for any more.
    frozen.process.kill('SIGCONT');
    frozen.process.kill('SIGTERM');
    expect(await frozen.exit).toBe(0);
    expect(await results(id)).toEqual(found);
    last.process.kill('SIGTERM');
    expect(await last.exit).toBe(0);
  });
});
