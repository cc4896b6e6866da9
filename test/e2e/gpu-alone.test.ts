/** A version for GPU backends alone, in bulk jobs: the backend answers as HF's class does, and nobody else ever does. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePng } from '../../scripts/cli/files/write-png.ts';
import { GpuProcess } from '../../scripts/soak/gpu-process.ts';
import { withUploads } from '../../scripts/soak/seed-images.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { bitEdge } from '../support/command-line.ts';
import { GOLDENS, picture, SIDE_PX } from '../support/gpu-model.ts';
import { BACKEND_INSTALLED, SKIP_REASON } from '../support/gpu-process.ts';

const NAME = 'bit-152x4';
const PICTURES = GOLDENS.random.logits.length;
const READY_TIMEOUT_MS = 60_000;
const JOB_TIMEOUT_MS = 60_000;

let root: string;
let backend: GpuProcess;
let server: DevServer;

interface Job {
  readonly id: string;
  readonly state: string;
  readonly counts: Readonly<Record<'total' | 'pending' | 'succeeded' | 'failed', number>>;
}

interface ResultLine {
  readonly index: number;
  readonly engine: string;
  readonly predictions: readonly { readonly label: string; readonly index: number; readonly score: number }[];
  readonly embedding: string;
}

beforeAll(async () => {
  if (!BACKEND_INSTALLED) return;
  root = await mkdtemp(join(tmpdir(), 'bit-edge-gpu-alone-'));
  const state = join(root, 'state');
  const store = join(root, 'store');
  await seedDefaultModel(state);
  const folder = await importGpuAlone(join(root, 'version'));
  const published = await bitEdge(['publish', folder, '--alias', 'latest', '--persist-to', state]);
  expect(published).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('for GPU backends alone') });
  expect(await bitEdge(['publish', folder, '--alias', 'latest', '--store', store])).toMatchObject({ exitCode: 0 });
  await withUploads(state, async (bucket) => {
    for (let index = 0; index < PICTURES; index++) {
      await bucket.put(key(index), encodePng({ data: picture(index), width: SIDE_PX, height: SIDE_PX }));
    }
  });
  backend = new GpuProcess(await findFreePort(), store);
  await backend.start();
  server = await startDevServer({
    port: await findFreePort(),
    statePath: state,
    variables: { AUTH: 'none', GPU_BACKEND_URL: backend.url, JOB_TICK_MS: '500', JOB_RETRY_SECONDS: '1' },
  });
  await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
});

afterAll(async () => {
  await server?.stop();
  await backend?.kill();
  if (root !== undefined) await rm(root, { recursive: true, force: true });
});

function key(index: number): string {
  return `uploads/${index}.png`;
}

/** Imports the small random network of HF's class as a version whose one variant is `gpu`. */
async function importGpuAlone(out: string): Promise<string> {
  const preprocessor = join(root, 'preprocessor_config.json');
  const [mean, size] = [[0.5, 0.5, 0.5], { height: SIDE_PX, width: SIDE_PX }];
  const options = { size: { shortest_edge: SIDE_PX }, crop_size: size, image_mean: mean, image_std: mean };
  await writeFile(preprocessor, JSON.stringify(options));
  const args = ['import', 'test/fixtures/bit/default', '--variants', 'gpu', '--name', NAME, '--out', out];
  expect(await bitEdge([...args, '--preprocessor', preprocessor])).toMatchObject({ exitCode: 0 });
  return out;
}

function post(path: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function submit(
  job: object = { model: NAME, parameters: { top_k: 7, function_to_apply: 'none' } },
): Promise<string> {
  const inputs = Array.from({ length: PICTURES }, (_, index) => ({ r2: key(index) }));
  const response = await post('/v1/jobs', { ...job, inputs });
  expect(response.status).toBe(202);
  return ((await response.json()) as Job).id;
}

async function status(id: string): Promise<Job> {
  return (await (await fetch(`${server.url}/v1/jobs/${id}`)).json()) as Job;
}

async function results(id: string): Promise<ResultLine[]> {
  const poll = expect.poll(async () => (await status(id)).state, { timeout: JOB_TIMEOUT_MS, interval: 200 });
  await poll.toBe('completed');
  const text = await (await fetch(`${server.url}/v1/jobs/${id}/results`)).text();
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as ResultLine);
}

describe.skipIf(!BACKEND_INSTALLED)(`a version for GPU backends alone${SKIP_REASON}`, () => {
  test('answers a job with the logits of its reference', async () => {
    const lines = await results(await submit());
    expect(lines.map(({ engine }) => engine)).toEqual(new Array(PICTURES).fill('gpu'));
    for (const { index, predictions } of lines) {
      for (const prediction of predictions) {
        // The import makes float16, whose error is up to 1e-2 here.
        expect(prediction.score).toBeCloseTo(GOLDENS.random.logits[index]![prediction.index]!, 1);
      }
    }
  });

  test('is the backbone of heads: its features come back, and the head is applied at the edge', async () => {
    const embedded = await results(await submit({ task: 'embed', model: NAME }));
    const embeddings = embedded.map(({ embedding }) => embedding);
    // A class a picture: each is nearest to its own.
    const classes = embeddings.map((embedding, index) => ({ label: `picture ${index}`, embeddings: [embedding] }));
    const made = await post('/v1/heads', { name: 'on-gpu', backbone: NAME, method: 'nearest_mean', classes });
    expect(made.status, await made.text()).toBe(201);
    const lines = await results(await submit({ model: 'on-gpu', parameters: { top_k: 1 } }));
    expect(lines.map(({ engine }) => engine)).toEqual(new Array(PICTURES).fill('gpu'));
    expect(lines.map(({ predictions: [best] }) => best!.label)).toEqual(classes.map(({ label }) => label));
    const again = await results(await submit({ task: 'embed', model: 'on-gpu' }));
    expect(again.map(({ embedding }) => embedding)).toEqual(embeddings);
  });

  test('waits for a backend that is down: nothing fails, and nothing is answered by WASM', async () => {
    await backend.kill();
    const id = await submit();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect((await status(id)).counts).toMatchObject({ pending: PICTURES, failed: 0, succeeded: 0 });
    await backend.start();
    expect((await results(id)).map(({ engine }) => engine)).toEqual(new Array(PICTURES).fill('gpu'));
  });
});
