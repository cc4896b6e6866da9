import { mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BackendClient } from '../../worker/jobs/backend-client.ts';
import type { BackendOptions } from '../../worker/jobs/backend-transport.ts';
import { DEFAULT_BREAKER_POLICY } from '../../worker/jobs/circuit-breaker.ts';
import type { Tensor } from '../../worker/oip/datatypes.ts';
import { reserveInferRequest } from '../../worker/oip/infer-request.ts';
import { startFakeBucket } from '../support/fake-bucket.ts';
import { GOLDENS, picture, pictures, SIDE_PX, writeModel } from '../support/gpu-model.ts';
import {
  BACKEND_INSTALLED,
  type BackendProcess,
  killAll,
  SKIP_REASON,
  startBackend,
  TOKEN,
  untilReady,
} from '../support/gpu-process.ts';
import { writeAlias } from '../support/gpu-store.ts';

const MODEL = 'bit-tiny-200';
/** Weights are float16. */
const TOLERANCE = 1e-2;

function clientOf(backend: BackendProcess, more: Partial<BackendOptions> = {}): BackendClient {
  return new BackendClient({
    url: backend.url,
    token: TOKEN,
    fetch,
    now: () => performance.now(),
    random: Math.random,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    ...more,
  });
}

async function infer(
  client: BackendClient,
  indices: readonly number[],
  outputs = ['logits'],
  signal?: AbortSignal,
): Promise<readonly Tensor[]> {
  const rows = indices.length;
  const shape = [rows, SIDE_PX, SIDE_PX, 3];
  const fields = { parameters: { binary_data_output: true }, outputs: outputs.map((name) => ({ name })) };
  const { message, data } = reserveInferRequest(fields, [{ name: 'image', datatype: 'UINT8', shape }]);
  data[0]!.set(pictures(indices));
  const call = { model: MODEL, version: null, message, rows, outputs, ...(signal && { signal }) };
  return (await client.infer(call)).outputs;
}

/** How long a test waits for something to show. */
const POLL = { interval: 5, timeout: 20_000 };

/** A metric's value for the one model; undefined where there is none. */
async function metricOf(from: BackendProcess, name: string, outcome?: string): Promise<number | undefined> {
  const text = await (await from.fetch('/metrics')).text();
  const line = text
    .split('\n')
    .find((each) => each.startsWith(`${name}{`) && (outcome === undefined || each.includes(`outcome="${outcome}"`)));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

/** The rows of a tensor of floats. */
function rowsOf(tensor: Tensor): number[][] {
  if (tensor.datatype !== 'FP32') throw new Error(`${tensor.name} is ${tensor.datatype}`);
  const width = tensor.data.length / tensor.shape[0]!;
  return Array.from({ length: tensor.shape[0]! }, (_, row) =>
    Array.from(tensor.data.subarray(row * width, (row + 1) * width)),
  );
}

function largestDifference(found: readonly number[], expected: readonly number[]): number {
  return Math.max(...expected.map((value, index) => Math.abs(value - found[index]!)));
}

describe.skipIf(!BACKEND_INSTALLED)(`the GPU backend as a process${SKIP_REASON}`, () => {
  let store = '';
  let backend: BackendProcess;
  const env = () => ({ GPU_STORE: store });

  beforeAll(async () => {
    store = await mkdtemp(join(tmpdir(), 'gpu-store-'));
    await writeModel(store, MODEL);
    backend = await startBackend(env());
    await untilReady(backend);
  });
  afterAll(async () => {
    killAll();
    await rm(store, { recursive: true });
  });

  test('says what it is and what it runs', async () => {
    const client = clientOf(backend);
    expect(await client.serverMetadata()).toMatchObject({
      extensions: expect.arrayContaining(['binary_tensor_data']),
      parameters: { providers: 'cpu' },
    });
    expect(await client.model(MODEL)).toMatchObject({
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, SIDE_PX, SIDE_PX, 3] }],
      maxBatch: 32,
    });
    expect([await client.ready(), await client.modelReady(MODEL), await client.modelReady('none')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(backend.log.map(({ event }) => event).slice(0, 4)).toEqual([
      'starting',
      'listening',
      'model_loaded',
      'ready',
    ]);
  });

  test('answers as Hugging Face transformers does, labels and embedding, binary', async () => {
    const [logits, pooled] = await infer(clientOf(backend), [0, 1, 2, 3, 4, 5], ['logits', 'pooler_output']);
    rowsOf(logits!).forEach((row, index) => {
      expect(largestDifference(row, GOLDENS[MODEL].logits[index]!)).toBeLessThan(TOLERANCE);
    });
    rowsOf(pooled!).forEach((row, index) => {
      expect(largestDifference(row.slice(0, 16), GOLDENS[MODEL].pooler_output_first_16[index]!)).toBeLessThan(
        TOLERANCE,
      );
    });
  });

  test('a graph in float32 answers to 1e-4', async () => {
    const exact = await mkdtemp(join(tmpdir(), 'gpu-store-'));
    await writeModel(exact, MODEL, '1', 'float32');
    const single = await startBackend({ GPU_STORE: exact });
    await untilReady(single);
    const [logits] = await infer(clientOf(single), [0, 1, 2, 3, 4, 5]);
    rowsOf(logits!).forEach((row, index) => {
      expect(largestDifference(row, GOLDENS[MODEL].logits[index]!)).toBeLessThan(1e-4);
    });
    single.process.kill('SIGTERM');
    expect(await single.exit).toBe(0);
    await rm(exact, { recursive: true });
  });

  test('answers the same in JSON', async () => {
    const body = JSON.stringify({
      id: 'one',
      inputs: [{ name: 'image', shape: [1, SIDE_PX, SIDE_PX, 3], datatype: 'UINT8', data: Array.from(picture(3)) }],
      outputs: [{ name: 'logits' }],
    });
    const response = await backend.fetch(`/v2/models/${MODEL}/versions/1/infer`, { method: 'POST', body });
    const answer = (await response.json()) as { id: string; model_version: string; outputs: { data: number[] }[] };
    expect(answer).toMatchObject({ id: 'one', model_name: MODEL, model_version: '1' });
    expect(largestDifference(answer.outputs[0]!.data, GOLDENS[MODEL].logits[3]!)).toBeLessThan(TOLERANCE);
  });

  test('many requests at once are batched, and every one gets its own answer', async () => {
    const client = clientOf(backend, { maxInFlight: 24 });
    const indices = Array.from({ length: 24 }, (_, request) => request % 6);
    const answers = await Promise.all(indices.map((index) => infer(client, [index])));
    answers.forEach(([logits], request) => {
      expect(largestDifference(rowsOf(logits!)[0]!, GOLDENS[MODEL].logits[indices[request]!]!)).toBeLessThan(TOLERANCE);
    });
    const batches = await metricOf(backend, 'bit_gpu_batch_size_count');
    expect(batches).toBeLessThan((await metricOf(backend, 'bit_gpu_requests_total', 'ok'))!);
  });

  test('a wrong token is 401, an unknown model 404, a bad shape and broken bodies 400, with an error body', async () => {
    const path = `/v2/models/${MODEL}/infer`;
    const body = JSON.stringify({
      inputs: [{ name: 'image', shape: [1, 8, 8, 3], datatype: 'UINT8', data: new Array(192).fill(0) }],
    });
    const statuses = await Promise.all([
      backend.fetch(path, { method: 'POST', body, headers: { authorization: 'Bearer wrong-token-0123456789' } }),
      backend.fetch('/v2/models/none/infer', { method: 'POST', body }),
      backend.fetch(path, { method: 'POST', body }),
      backend.fetch(path, { method: 'POST', body: body.slice(1) }),
      backend.fetch(path, { method: 'POST', body, headers: { 'inference-header-content-length': '10' } }),
    ]);
    expect(statuses.map(({ status }) => status)).toEqual([401, 404, 400, 400, 400]);
    for (const response of statuses) expect(await response.json()).toEqual({ error: expect.any(String) });
    const rejected = clientOf(backend, { token: 'wrong-token-0123456789' });
    await expect(infer(rejected, [0])).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  test('a body that is refused unread still gets its answer: too long, or without the token', async () => {
    const picky = await startBackend({ ...env(), GPU_MAX_REQUEST_BYTES: '100000' });
    await untilReady(picky);
    const path = `/v2/models/${MODEL}/infer`;
    const body = new Uint8Array(20_000_000);
    expect((await picky.fetch(path, { method: 'POST', body })).status).toBe(413);
    const init = { method: 'POST', body, headers: { authorization: 'Bearer wrong-token-0123456789' } };
    expect((await picky.fetch(path, init)).status).toBe(401);
    expect((await picky.fetch('/v2')).status).toBe(200);
    picky.process.kill('SIGTERM');
    expect(await picky.exit).toBe(0);
  });

  test('a client that leaves takes its request out of the queue', async () => {
    const slow = await startBackend({ ...env(), GPU_MAX_DELAY_MS: '10000' });
    await untilReady(slow);
    const controller = new AbortController();
    const leaving = infer(clientOf(slow), [0], ['logits'], controller.signal);
    await expect.poll(() => metricOf(slow, 'bit_gpu_queue_images'), POLL).toBe(1);
    const rejected = expect(leaving).rejects.toThrow('done waiting');
    controller.abort(new Error('done waiting'));
    await rejected;
    await expect.poll(() => metricOf(slow, 'bit_gpu_requests_total', 'cancelled'), POLL).toBe(1);
    expect(await metricOf(slow, 'bit_gpu_queue_images')).toBe(0);
    slow.process.kill('SIGTERM');
    expect(await slow.exit).toBe(0);
  });

  test('a full queue answers 503 with Retry-After, and everything accepted is answered', async () => {
    const small = await startBackend({ ...env(), GPU_MAX_BATCH: '2', GPU_MAX_QUEUE: '2' });
    await untilReady(small);
    const client = clientOf(small, { maxInFlight: 40, retry: { attempts: 1, baseMs: 1, maxMs: 1 } });
    const results = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) => infer(client, [index % 6, index % 6])),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused)
      expect(reason).toMatchObject({ code: 'backend_unavailable', details: { status: 503, busy: true } });
    results.forEach((result, index) => {
      if (result.status === 'rejected') return;
      expect(largestDifference(rowsOf(result.value[0]!)[0]!, GOLDENS[MODEL].logits[index % 6]!)).toBeLessThan(
        TOLERANCE,
      );
    });
    expect(results.length).toBeGreaterThan(refused.length);
    small.process.kill('SIGTERM');
    expect(await small.exit).toBe(0);
  });

  test('SIGTERM: accepted requests are answered at once, new ones refused, exit code 0', async () => {
    // Without a SIGTERM these six would wait ten seconds for two more to fill their batch.
    const draining = await startBackend({
      ...env(),
      GPU_MAX_BATCH: '8',
      GPU_MAX_DELAY_MS: '10000',
      GPU_DRAIN_MS: '5000',
    });
    await untilReady(draining);
    const client = clientOf(draining, { maxInFlight: 7, retry: { attempts: 1, baseMs: 1, maxMs: 1 } });
    const accepted = [0, 1, 2, 3, 4, 5].map((index) => infer(client, [index]));
    await expect.poll(() => metricOf(draining, 'bit_gpu_queue_images'), POLL).toBe(6);
    draining.process.kill('SIGTERM');
    await expect.poll(() => draining.log.some(({ event }) => event === 'draining'), POLL).toBe(true);
    expect(await infer(client, [0]).catch((error: unknown) => error)).toMatchObject({ code: 'backend_unavailable' });
    const answers = await Promise.all(accepted);
    answers.forEach(([logits], index) => {
      expect(largestDifference(rowsOf(logits!)[0]!, GOLDENS[MODEL].logits[index]!)).toBeLessThan(TOLERANCE);
    });
    expect(await draining.exit).toBe(0);
    expect(draining.log.at(-1)).toMatchObject({ event: 'stopped', complete: true });
  });

  test('kill -9 and a restart: the client rides it out', async () => {
    let current = await startBackend(env());
    await untilReady(current);
    const port = new URL(current.url).port;
    const client = clientOf(current, {
      retry: { attempts: 100, baseMs: 50, maxMs: 200 },
      breaker: { ...DEFAULT_BREAKER_POLICY, failureThreshold: 1000 },
    });
    await infer(client, [0]);
    current.process.kill('SIGKILL');
    expect(await current.exit).toBe('SIGKILL');
    const waiting = infer(client, [1]);
    current = await startBackend({ ...env(), GPU_PORT: port });
    const answer = await waiting;
    expect(largestDifference(rowsOf(answer[0]!)[0]!, GOLDENS[MODEL].logits[1]!)).toBeLessThan(TOLERANCE);
    current.process.kill('SIGTERM');
    expect(await current.exit).toBe(0);
  });

  test('a moved alias is picked up while it runs', async () => {
    const polled = await mkdtemp(join(tmpdir(), 'gpu-store-'));
    await writeModel(polled, MODEL);
    const running = await startBackend({ GPU_STORE: polled, GPU_POLL_S: '1' });
    await untilReady(running);
    await writeModel(polled, MODEL, '2');
    await writeAlias(polled, MODEL, 'latest', '2');
    await expect
      .poll(async () => (await clientOf(running).model(MODEL)).versions, { interval: 50, timeout: 20_000 })
      .toEqual(['2']);
    running.process.kill('SIGTERM');
    expect(await running.exit).toBe(0);
    await rm(polled, { recursive: true });
  });

  test('models come from a bucket behind the S3 API, and from the cache the next time', async () => {
    const objects = new Map<string, Buffer>();
    for (const file of await readdir(store, { recursive: true, withFileTypes: true })) {
      const path = join(file.parentPath, file.name);
      if (file.isFile()) objects.set(`edge/${path.slice(store.length + 1)}`, await readFile(path));
    }
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret', region: 'auto' };
    const bucket = await startFakeBucket('models', objects, credentials);
    const cache = await mkdtemp(join(tmpdir(), 'gpu-cache-'));
    const downloads = () => bucket.requests.filter((path) => /\.(onnx|bin)$/.test(path)).length;
    for (const expectedDownloads of [2, 2]) {
      const fromBucket = await startBackend({
        GPU_STORE: 's3://models/edge',
        GPU_S3_ENDPOINT: bucket.endpoint,
        GPU_S3_ACCESS_KEY_ID: 'key',
        GPU_S3_SECRET_ACCESS_KEY: 'secret',
        GPU_CACHE_DIR: cache,
      });
      await untilReady(fromBucket);
      const [logits] = await infer(clientOf(fromBucket), [2]);
      expect(largestDifference(rowsOf(logits!)[0]!, GOLDENS[MODEL].logits[2]!)).toBeLessThan(TOLERANCE);
      expect(downloads()).toBe(expectedDownloads);
      fromBucket.process.kill('SIGTERM');
      expect(await fromBucket.exit).toBe(0);
    }
    await bucket.close();
    await rm(cache, { recursive: true });
  });

  test.each<[string, Record<string, string>, string]>([
    ['a wrong variable', { GPU_MAX_BATCH: 'many' }, 'invalid_configuration: GPU_MAX_BATCH: "many"'],
    ['a model that is not there', { GPU_MODELS: 'none' }, 'model_not_found: the store has no version for none'],
    ['no provider that works', { GPU_PROVIDERS: 'cuda' }, 'no provider runs'],
  ])('%s ends the start with code 1 and one clear line', async (_, more, message) => {
    const failing = await startBackend({ ...env(), ...more });
    expect(await failing.exit).toBe(1);
    expect(failing.errors()).toContain(message);
  });

  test('a damaged model file is refused at the start, by name', async () => {
    const damaged = await mkdtemp(join(tmpdir(), 'gpu-store-'));
    await writeModel(damaged, MODEL);
    await truncate(join(damaged, 'models', MODEL, '1', 'gpu.onnx'), 1000);
    const failing = await startBackend({ GPU_STORE: damaged });
    expect(await failing.exit).toBe(1);
    expect(failing.errors()).toContain(`model_corrupt: models/${MODEL}/1/gpu.onnx: 1000 bytes`);
    await rm(damaged, { recursive: true });
  });
});
