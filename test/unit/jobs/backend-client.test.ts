import { describe, expect, test } from 'vitest';
import { AppError } from '../../../worker/errors.ts';
import { BackendClient, type InferCall } from '../../../worker/jobs/backend-client.ts';
import type { BackendOptions } from '../../../worker/jobs/backend-transport.ts';
import { makeTensor, type Tensor } from '../../../worker/oip/datatypes.ts';
import { decodeInferRequest, encodeInferRequest } from '../../../worker/oip/infer-request.ts';
import { encodeInferResponse } from '../../../worker/oip/infer-response.ts';
import { messageHeaders, parseHeaderLength } from '../../../worker/oip/message.ts';

type Handler = (request: Request, attempt: number) => Response | Promise<Response>;

function setup(handler: Handler, options: Partial<BackendOptions> = {}) {
  const requests: Request[] = [];
  const sleeps: number[] = [];
  let nowMs = 0;
  const client = new BackendClient({
    url: 'http://gpu.test/base/',
    token: 'secret',
    fetch: async (url, init) => {
      const request = new Request(url, init);
      requests.push(request);
      return await handler(request, requests.length);
    },
    now: () => nowMs,
    sleep: async (ms) => {
      sleeps.push(ms);
      nowMs += ms;
    },
    random: () => 0.5,
    ...options,
  });
  return { client, requests, sleeps, advance: (ms: number) => (nowMs += ms) };
}

const image = makeTensor('image', 'UINT8', [2, 1, 1, 3], Uint8Array.of(1, 2, 3, 4, 5, 6)) as Tensor;
const CALL: InferCall = {
  model: 'tiny',
  version: null,
  message: encodeInferRequest({ parameters: { binary_data_output: true }, inputs: [image] }),
  rows: 2,
  outputs: ['logits'],
};

function logits(rows = 2, name = 'logits'): Response {
  const tensor = makeTensor(name, 'FP32', [rows, 1], new Float32Array(rows).fill(7)) as Tensor;
  const message = encodeInferResponse({ modelName: 'tiny', modelVersion: '3', outputs: [tensor] }, () => true);
  return new Response(message.body, { headers: messageHeaders(message) });
}

const failed = (status: number, headers: Record<string, string> = {}) =>
  Response.json({ error: `status ${status}` }, { status, headers });

async function errorOf(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => new Error('resolved'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw error;
  return error;
}

describe('backend client', () => {
  test('sends the batch as binary data with the token, and reads the answer', async () => {
    const { client, requests } = setup(() => logits());
    const answer = await client.infer({ ...CALL, version: 'v 1' });
    expect(answer.outputs[0]).toMatchObject({ name: 'logits', shape: [2, 1], data: Float32Array.of(7, 7) });
    expect(answer.modelVersion).toBe('3');
    const request = requests[0]!;
    expect(request.url).toBe('http://gpu.test/base/v2/models/tiny/versions/v%201/infer');
    expect(request.headers.get('authorization')).toBe('Bearer secret');
    expect(request.redirect).toBe('manual');
    const headerLength = parseHeaderLength(request.headers.get('inference-header-content-length'));
    expect(decodeInferRequest(await request.bytes(), headerLength).inputs).toEqual([image]);
  });

  test('without a token no authorization is sent', async () => {
    const { client, requests } = setup(() => logits(), { token: null });
    await client.infer(CALL);
    expect(requests[0]!.headers.has('authorization')).toBe(false);
  });

  test('tries again after 500 and a lost connection, with jittered, growing waits', async () => {
    const { client, sleeps } = setup((_, attempt) => {
      if (attempt === 1) return failed(500);
      if (attempt === 2) throw new TypeError('connection reset');
      return logits();
    });
    expect((await client.infer(CALL)).outputs).toHaveLength(1);
    expect(sleeps).toEqual([100, 200]);
  });

  test('a full queue is waited out as long as it asks, and is no failure for the breaker', async () => {
    const { client, sleeps, requests } = setup(() => failed(503, { 'retry-after': '2' }), {
      breaker: { failureThreshold: 1, openMs: 1, maxOpenMs: 1, probes: 1, probeTimeoutMs: 1 },
    });
    const error = await errorOf(client.infer(CALL));
    expect(error).toMatchObject({
      code: 'backend_unavailable',
      retryAfterSeconds: 2,
      details: { status: 503, busy: true },
    });
    expect([requests.length, sleeps, client.breakerState.kind]).toEqual([3, [2000, 2000], 'closed']);
  });

  test.each([
    [400, 'invalid_body'],
    [401, 'invalid_configuration'],
    [403, 'invalid_configuration'],
    [404, 'model_not_found'],
    [413, 'invalid_body'],
  ])('status %i is final: %s', async (status, code) => {
    const { client, requests } = setup(() => failed(status));
    const error = await errorOf(client.infer(CALL));
    expect(error).toMatchObject({ code, details: { status } });
    expect(error.message).toContain(`status ${status}: status ${status}`);
    expect([requests.length, client.breakerState]).toEqual([1, { kind: 'closed', epoch: 0, failures: 0 }]);
  });

  test('a redirect is not followed', async () => {
    const { client, requests } = setup(
      () => new Response(null, { status: 302, headers: { location: 'http://evil.test' } }),
    );
    expect((await errorOf(client.infer(CALL))).code).toBe('backend_unavailable');
    expect(requests.every((request) => request.url.startsWith('http://gpu.test/base/'))).toBe(true);
  });

  test.each<[string, () => Response, string]>([
    ['a missing output', () => logits(2, 'scores'), 'output "logits" is missing; there are: scores'],
    ['another batch size', () => logits(3), 'shape [3,1] for a batch of 2'],
    ['HTML', () => new Response('<html>'), 'no JSON'],
    [
      'a wrong header length',
      () => new Response('{}', { headers: { 'inference-header-content-length': '9' } }),
      'has 2 bytes',
    ],
    ['a body that is too long', () => new Response(new Uint8Array(101)), 'longer than 100 bytes'],
  ])('an answer with %s is refused as a broken backend', async (_, answer, message) => {
    const { client } = setup(answer, { maxResponseBytes: message.includes('longer') ? 100 : 1000 });
    const error = await errorOf(client.infer(CALL));
    expect(error.code).toBe('backend_unavailable');
    expect(error.message).toContain(message);
  });

  test('a silent backend is given up after the timeout of each try', async () => {
    const hang: Handler = (request) =>
      new Promise((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason as Error));
      });
    const { client, requests } = setup(hang, { timeoutMs: 5 });
    const error = await errorOf(client.infer(CALL));
    expect(error).toMatchObject({ code: 'backend_unavailable', retryAfterSeconds: 5 });
    expect(requests).toHaveLength(3);
  });

  test('stops calling a dead backend, and comes back through one probe', async () => {
    let dead = true;
    const { client, requests, advance } = setup(() => (dead ? failed(500) : logits()), {
      breaker: { failureThreshold: 4, openMs: 10_000, maxOpenMs: 60_000, probes: 1, probeTimeoutMs: 1000 },
    });
    await errorOf(client.infer(CALL));
    await errorOf(client.infer(CALL));
    expect([requests.length, client.breakerState.kind]).toEqual([4, 'open']);
    expect(await errorOf(client.infer(CALL))).toMatchObject({ code: 'backend_unavailable', retryAfterSeconds: 10 });
    expect(requests).toHaveLength(4);
    dead = false;
    advance(10_000);
    expect((await client.infer(CALL)).outputs).toHaveLength(1);
    expect(client.breakerState.kind).toBe('closed');
  });

  test('the breaker state can be handed to another client', async () => {
    const open = { kind: 'open', epoch: 1, trips: 1, untilMs: 500 } as const;
    const { client, requests } = setup(() => logits(), { breakerState: open });
    await errorOf(client.infer(CALL));
    expect(requests).toHaveLength(0);
  });

  test('no more requests at once than allowed; the rest wait their turn', async () => {
    let running = 0;
    let most = 0;
    const { client } = setup(
      async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        return logits();
      },
      { maxInFlight: 3 },
    );
    await Promise.all(Array.from({ length: 10 }, () => client.infer(CALL)));
    expect([most, client.inFlight]).toEqual([3, 0]);
  });

  test('an aborted call ends with the reason, is not tried again, and says nothing about the backend', async () => {
    const controller = new AbortController();
    const { client, requests } = setup(() => {
      controller.abort(new Error('cancelled by the job'));
      throw new TypeError('aborted');
    });
    await expect(client.infer({ ...CALL, signal: controller.signal })).rejects.toThrow('cancelled by the job');
    expect([requests.length, client.breakerState]).toEqual([1, { kind: 'closed', epoch: 0, failures: 0 }]);
  });

  const METADATA = {
    name: 'tiny',
    versions: ['1'],
    platform: 'onnxruntime_onnx',
    inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, 8, 8, 3] }],
    outputs: [{ name: 'logits', datatype: 'FP32', shape: [-1, 5] }],
  };

  test.each([
    ['Triton or ours', () => Response.json({ max_batch_size: 32, platform: 'onnxruntime_onnx' }), 32],
    ['a Triton model without batching', () => Response.json({ max_batch_size: 0 }), null],
    ['plain KServe', () => failed(404), null],
    ['a server that answers 400 there', () => failed(400), null],
  ])('a model of %s', async (_, config, maxBatch) => {
    const { client } = setup((request) => (request.url.endsWith('/config') ? config() : Response.json(METADATA)));
    expect(await client.model('tiny')).toEqual({ ...METADATA, maxBatch });
  });

  test('a model whose metadata is wrong names the field', async () => {
    const { client } = setup(() => Response.json({ ...METADATA, platform: 3 }));
    expect((await errorOf(client.model('tiny'))).message).toContain('model metadata: platform');
  });

  test('readiness is yes or no, never an error', async () => {
    expect(await setup(() => Response.json({ live: true })).client.ready()).toBe(true);
    expect(await setup(() => failed(503)).client.ready()).toBe(false);
    expect(await setup(() => Promise.reject(new TypeError('refused'))).client.modelReady('tiny')).toBe(false);
  });
});
