import { expect, test } from 'vitest';
import { BackendClient } from '../../../worker/jobs/backend-client.ts';
import type { BackendOptions } from '../../../worker/jobs/backend-transport.ts';
import { makeTensor, type Tensor } from '../../../worker/oip/datatypes.ts';
import { decodeInferRequest, reserveInferRequest } from '../../../worker/oip/infer-request.ts';
import { encodeInferResponse } from '../../../worker/oip/infer-response.ts';
import { messageHeaders, parseHeaderLength } from '../../../worker/oip/message.ts';

/** Runs one batch of two images in workerd against a backend that answers with `answer`. */
async function run(answer: (request: Request) => Promise<Response>, more: Partial<BackendOptions> = {}) {
  const client = new BackendClient({
    url: 'https://gpu.example',
    token: 'secret',
    fetch: (url, init) => answer(new Request(url, init)),
    now: () => Date.now(),
    sleep: async () => {},
    random: () => 0,
    ...more,
  });
  const { message, data } = reserveInferRequest({ parameters: { binary_data_output: true } }, [
    { name: 'image', datatype: 'UINT8', shape: [2, 1, 1, 3] },
  ]);
  data[0]!.set([1, 2, 3, 4, 5, 6]);
  return await client.infer({ model: 'm', version: null, message, rows: 2, outputs: ['logits'] });
}

test('in workerd a batch goes out and its answer, in several chunks, comes back', async () => {
  const answer = await run(async (request) => {
    const headerLength = parseHeaderLength(request.headers.get('inference-header-content-length'));
    const { inputs } = decodeInferRequest(new Uint8Array(await request.arrayBuffer()), headerLength);
    expect(inputs[0]).toMatchObject({ name: 'image', shape: [2, 1, 1, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    const logits = makeTensor('logits', 'FP32', [2, 1], Float32Array.of(0.5, -1)) as Tensor;
    const message = encodeInferResponse({ modelName: 'm', outputs: [logits] }, () => true);
    const chunks = [message.body.subarray(0, 7), message.body.subarray(7)];
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = chunks.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
    });
    return new Response(body, { headers: messageHeaders(message) });
  });
  expect(answer.outputs[0]!.data).toEqual(Float32Array.of(0.5, -1));
});

test('a call goes on with the trace that it belongs to, in a span of its own', async () => {
  const headers: (string | null)[] = [];
  const client = new BackendClient({
    url: 'https://gpu.example',
    token: null,
    fetch: async (url, init) => {
      headers.push(new Request(url, init).headers.get('traceparent'));
      return new Response('no', { status: 400 });
    },
    now: () => Date.now(),
    sleep: async () => {},
    random: () => 0,
  });
  const { message } = reserveInferRequest({}, [{ name: 'image', datatype: 'UINT8', shape: [1, 1, 1, 3] }]);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const call = { model: 'm', version: null, message, rows: 1, outputs: [] };
  await expect(client.infer({ ...call, traceparent })).rejects.toMatchObject({ code: 'invalid_body' });
  await expect(client.infer(call)).rejects.toMatchObject({ code: 'invalid_body' });
  expect(headers).toEqual([expect.stringMatching(/^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)/), null]);
});

test('in workerd a silent backend runs into the timeout of each try', async () => {
  let tries = 0;
  const silent = (request: Request) => {
    tries++;
    return new Promise<Response>((_, reject) => {
      request.signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  };
  await expect(run(silent, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'backend_unavailable' });
  expect(tries).toBe(3);
});

test('in workerd an answer over the limit is cut off', async () => {
  let cancelled = false;
  const endless = async () =>
    new Response(
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(1024)),
        cancel: () => {
          cancelled = true;
        },
      }),
    );
  const options = { maxResponseBytes: 10_000, retry: { attempts: 1, baseMs: 1, maxMs: 1 } };
  await expect(run(endless, options)).rejects.toThrow('longer than 10000 bytes');
  expect(cancelled).toBe(true);
});
