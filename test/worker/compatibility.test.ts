/** Clients of other services, unmodified, on their own paths. */
import { env, SELF } from 'cloudflare:test';
import { featureExtraction, imageClassification } from '@huggingface/inference';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../model-store/manifest.ts';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey } from '../../worker/auth/api-key.ts';
import { putApiKey } from '../../worker/auth/key-store.ts';
import { errorResponse } from '../../worker/error-dialects.ts';
import { RuntimeError } from '../../worker/errors.ts';
import { encodeInferRequest } from '../../worker/oip/infer-request.ts';
import { decodeInferResponse } from '../../worker/oip/infer-response.ts';
import { HEADER_LENGTH_HEADER, messageHeaders } from '../../worker/oip/message.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const ORIGIN = 'http://localhost';
const JSON_TYPE = { 'content-type': 'application/json' };

let manifest: Manifest;
let photo: Uint8Array<ArrayBuffer>;
let expected: { label: string; score: number }[];

const viaSelf: typeof fetch = (input, init) => SELF.fetch(input, init);

function post(path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return SELF.fetch(ORIGIN + path, { method: 'POST', body, headers });
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

beforeAll(async () => {
  manifest = await seedDefaultModel();
  photo = await readFixture('photo.png');
});

describe('Hugging Face', () => {
  it('says how long a load takes in 503, as their clients expect it', async () => {
    const loading = new RuntimeError('not_ready', 'Model x is currently loading', { retryAfterSeconds: 2 });
    const response = errorResponse(loading, 'id', '/models/x');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ error: 'Model x is currently loading', estimated_time: 2 });
  });

  it('a probe finds the model not loaded; who asks to wait gets the labels of /v1/classify', async () => {
    expect((await SELF.fetch(`${ORIGIN}/v2/models/${manifest.name}/ready`)).status).toBe(503);
    const waited = await post(`/models/${manifest.name}`, photo, { 'x-wait-for-model': 'true' });
    expect(waited.status).toBe(200);
    expected = (await waited.json()) as { label: string; score: number }[];
    expect(expected).toHaveLength(5);
    expect(Object.keys(expected[0]!)).toEqual(['label', 'score']);
    const native = (await (await post('/v1/classify', photo)).json()) as {
      predictions: { label: string; score: number }[];
    };
    expect(expected).toEqual(native.predictions.map(({ label, score }) => ({ label, score })));
  });

  it('imageClassification of @huggingface/inference works without a key', async () => {
    const options = { fetch: viaSelf };
    const data = new Blob([photo], { type: 'image/png' });
    const endpointUrl = `${ORIGIN}/models/${manifest.name}`;
    expect(await imageClassification({ data, endpointUrl }, options)).toEqual(expected);
    const top = await imageClassification(
      { data, endpointUrl: `${ORIGIN}/models/google/${manifest.name}@latest?top_k=2` },
      options,
    );
    expect(top).toEqual(expected.slice(0, 2));
  });

  it('null members are defaults, as clients of generated code send them', async () => {
    const path = `/models/${manifest.name}`;
    const body = {
      inputs: toBase64(photo),
      parameters: { top_k: null, function_to_apply: null },
      options: { wait_for_model: null, use_gpu: null },
    };
    expect(await (await post(path, JSON.stringify(body), JSON_TYPE)).json()).toEqual(expected);
    const none = { inputs: toBase64(photo), parameters: null, options: null };
    expect(await (await post(path, JSON.stringify(none), JSON_TYPE)).json()).toEqual(expected);
  });

  const badRequests: [unknown, string][] = [
    [{}, '"inputs" is missing: must be a string or a list'],
    [{ inputs: null }, '"inputs" is missing: must be a string or a list'],
    [{ inputs: 1 }, '"inputs" is "1": must be a string or a list'],
    [{ inputs: { image: 'x' } }, '"inputs" is "{"image":"x"}": must be a string or a list'],
    [{ inputs: [] }, '"inputs" is "[]": must have at least 1 elements'],
    [{ inputs: 'eA==', parameters: [] }, '"parameters" is "[]": must be an object'],
    [{ inputs: 'eA==', parameters: { top_k: 0 } }, '"top_k" is "0": must be at least 1'],
    [
      { inputs: 'eA==', parameters: { function_to_apply: 'tanh' } },
      '"function_to_apply" is "tanh": must be softmax, sigmoid, none',
    ],
    [
      { inputs: 'eA==', options: { wait_for_model: 'yes' } },
      '"options.wait_for_model" is "yes": must be true or false',
    ],
  ];
  it.each(badRequests)('says what is wrong with %j in words', async (body, error) => {
    const response = await post(`/models/${manifest.name}`, JSON.stringify(body), JSON_TYPE);
    expect([response.status, await response.json()]).toEqual([400, { error }]);
  });

  it('featureExtraction of @huggingface/inference gives the vector of /v1/embed', async () => {
    const { embedding } = (await (await post('/v1/embed', photo)).json()) as { embedding: number[] };
    for (const path of [
      `/models/${manifest.name}/pipeline/feature-extraction`,
      `/pipeline/feature-extraction/${manifest.name}`,
    ]) {
      const answer = await featureExtraction(
        { inputs: toBase64(photo), endpointUrl: ORIGIN + path },
        { fetch: viaSelf },
      );
      expect(answer).toEqual([embedding]);
    }
  });

  it('takes inputs, parameters and options as JSON; a list is answered with a list', async () => {
    const inputs = toBase64(photo);
    const parameters = { top_k: 3, function_to_apply: 'sigmoid' };
    const body = { inputs, parameters, options: { wait_for_model: true } };
    const one = await (await post(`/models/${manifest.name}`, JSON.stringify(body), JSON_TYPE)).json();
    const two = await post(
      `/models/${manifest.name}`,
      JSON.stringify({ ...body, inputs: [inputs, inputs] }),
      JSON_TYPE,
    );
    expect(one).toHaveLength(3);
    expect(await two.json()).toEqual([one, one]);
  });

  const refused: [string, BodyInit, Record<string, string>, number, RegExp][] = [
    ['/models/nobody', new Uint8Array(8), {}, 404, /nobody/],
    ['/models/%20', new Uint8Array(8), {}, 404, /not a model name/],
    ['/models/bit-tiny-200', '{"inputs":"%"}', JSON_TYPE, 400, /base64/],
    ['/models/bit-tiny-200', '{"inputs":"AAAA","parameters":{"topk":1}}', JSON_TYPE, 400, /"topk"/],
    ['/models/bit-tiny-200', '{"inputs":"AAAA","options":{"wait":1}}', JSON_TYPE, 400, /"options.wait"/],
    ['/models/bit-tiny-200', 'text', { 'content-type': 'text/html' }, 415, /text\/html/],
    ['/models/bit-tiny-200', 'text', { 'content-type': 'image/png' }, 415, /./],
  ];
  for (const [path, body, headers, status, message] of refused) {
    it(`${path} ${String(body).slice(0, 40)}: ${status} with {error}`, async () => {
      const response = await post(path, body, headers);
      expect(response.status).toBe(status);
      const answer = (await response.json()) as Record<string, unknown>;
      expect(Object.keys(answer)).toEqual(['error']);
      expect(answer.error).toMatch(message);
      expect(response.headers.get('x-error-code')).toMatch(/^[a-z_]+$/);
    });
  }

  it('405 names the methods of a path with parameters', async () => {
    const response = await SELF.fetch(`${ORIGIN}/models/${manifest.name}`);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('OPTIONS, POST');
    expect(await response.json()).toEqual({ error: expect.stringContaining('GET is not allowed') });
  });
});

describe('Workers AI', () => {
  it('answers raw bytes, a list of bytes and base64 in its envelope', async () => {
    const bodies: [BodyInit, Record<string, string>][] = [
      [photo, {}],
      [JSON.stringify({ image: Array.from(photo) }), JSON_TYPE],
      [JSON.stringify({ image: toBase64(photo) }), JSON_TYPE],
    ];
    for (const [body, headers] of bodies) {
      const response = await post(`/ai/run/@cf/google/${manifest.name}`, body, headers);
      expect(await response.json()).toEqual({ result: expected, success: true, errors: [], messages: [] });
    }
  });

  it('answers errors in its envelope', async () => {
    const response = await post(`/ai/run/${manifest.name}`, '{"image":[1,256]}', JSON_TYPE);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      result: null,
      success: false,
      errors: [{ code: 400, message: 'invalid_parameter: "image": element 1 is 256: no byte' }],
      messages: [],
    });
  });
});

describe('Open Inference Protocol v2', () => {
  const infer = (path: string, body: BodyInit, headers: Record<string, string> = JSON_TYPE) =>
    post(path, body, headers);

  it('describes the server and its models', async () => {
    const get = async (path: string) => (await SELF.fetch(ORIGIN + path)).json();
    expect(await get('/v2')).toMatchObject({
      name: 'bit-edge',
      extensions: expect.arrayContaining(['binary_tensor_data']),
    });
    expect(await get('/v2/health/live')).toEqual({ live: true });
    const variant = manifest.variants[manifest.default_variant]!;
    const model = await get(`/v2/models/${manifest.name}/versions/${manifest.version}`);
    expect(model).toMatchObject({ name: manifest.name, versions: [manifest.version], platform: 'onnxruntime_onnx' });
    expect(model).toMatchObject({
      inputs: [
        { name: variant.inputs[0]!.name, datatype: 'FP32' },
        { name: 'image', datatype: 'BYTES', shape: [-1] },
      ],
      outputs: variant.outputs.map(({ name }) => ({ name })),
    });
    await expect.poll(async () => (await SELF.fetch(`${ORIGIN}/v2/health/ready`)).status).toBe(200);
    expect(await get(`/v2/models/${manifest.name}/ready`)).toEqual({ name: manifest.name, ready: true });
  });

  it('encoded images: JSON base64 and binary BYTES give the logits of /v1/classify', async () => {
    const native = (await (await post('/v1/classify?function_to_apply=none', photo)).json()) as {
      predictions: { score: number; index: number }[];
    };
    const path = `/v2/models/${manifest.name}/infer`;
    const inputs = [{ name: 'image', datatype: 'BYTES', shape: [1], data: [toBase64(photo)] }];
    const json = await infer(path, JSON.stringify({ id: 'x', inputs, outputs: [{ name: 'logits' }] }));
    const answer = decodeInferResponse(new Uint8Array(await json.arrayBuffer()), null);
    expect(answer).toMatchObject({ modelName: manifest.name, modelVersion: manifest.version, id: 'x' });
    const [logits] = answer.outputs;
    if (logits?.datatype !== 'FP32') throw new Error('no FP32 logits');
    for (const { score, index } of native.predictions) expect(logits.data[index]).toBe(Math.fround(score));
    const message = encodeInferRequest({
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [2, 1], data: [photo, photo] }],
      outputs: [{ name: 'logits' }],
      parameters: { binary_data_output: true },
    });
    const binary = await infer(path, message.body, messageHeaders(message));
    const length = Number(binary.headers.get(HEADER_LENGTH_HEADER));
    const [both] = decodeInferResponse(new Uint8Array(await binary.arrayBuffer()), length).outputs;
    if (both?.datatype !== 'FP32') throw new Error('no FP32 logits');
    expect(both.shape).toEqual([2, logits.data.length]);
    expect(Array.from(both.data)).toEqual([...logits.data, ...logits.data]);
  });

  it('pixel_values: rows are answered one by one, all outputs where none is named', async () => {
    const { inputs, outputs } = manifest.variants[manifest.default_variant]!;
    const shape = inputs[0]!.shape.slice(1).map((size) => (typeof size === 'number' ? size : 64));
    const row = shape.reduce((product, size) => product * size, 1);
    const data = new Float32Array(2 * row).fill(0.5, row);
    const message = encodeInferRequest({
      inputs: [{ name: inputs[0]!.name, datatype: 'FP32', shape: [2, ...shape], data }],
      parameters: { binary_data_output: true },
    });
    const response = await infer(`/v2/models/${manifest.name}/infer`, message.body, messageHeaders(message));
    expect(response.status).toBe(200);
    const length = Number(response.headers.get(HEADER_LENGTH_HEADER));
    const answer = decodeInferResponse(new Uint8Array(await response.arrayBuffer()), length);
    expect(answer.outputs.map(({ name }) => name)).toEqual(outputs.map(({ name }) => name));
    for (const output of answer.outputs) {
      if (output.datatype !== 'FP32') throw new Error('not FP32');
      const half = output.data.length / 2;
      expect(output.shape[0]).toBe(2);
      expect(output.data.slice(0, half)).not.toEqual(output.data.slice(half));
    }
  });

  const image = { name: 'image', datatype: 'BYTES', shape: [1], data: ['AAAA'] };
  const refused: [string, unknown, number, RegExp][] = [
    ['no inputs', { inputs: [] }, 400, /inputs/],
    ['an unknown input', { inputs: [{ ...image, name: 'x' }] }, 400, /send one of/],
    ['a wrong type', { inputs: [{ ...image, datatype: 'FP32', data: [1] }] }, 400, /BYTES \[N\]/],
    ['bytes that are not an image', { inputs: [image] }, 415, /./],
    [
      'a wrong shape',
      { inputs: [{ name: 'pixel_values', datatype: 'FP32', shape: [1, 3, 1, 0], data: [] }] },
      400,
      /takes FP32/,
    ],
    ['too many rows', { inputs: [{ ...image, shape: [17], data: Array(17).fill('AAAA') }] }, 413, /limit 16/],
    ['an unknown output', { inputs: [image], outputs: [{ name: 'y' }] }, 400, /"y" is unknown/],
  ];
  for (const [what, body, status, message] of refused) {
    it(`${what}: ${status} with {error}`, async () => {
      const response = await infer(`/v2/models/${manifest.name}/infer`, JSON.stringify(body));
      expect(await response.json()).toEqual({ error: expect.stringMatching(message) });
      expect(response.status).toBe(status);
    });
  }

  describe("Triton's extensions", () => {
    const path = (): string => `/v2/models/${manifest.name}/infer`;
    const inputs = () => [{ name: 'image', datatype: 'BYTES', shape: [1], data: [toBase64(photo)] }];
    const asked = (parameters: Record<string, unknown>, more: Record<string, unknown> = {}) =>
      infer(path(), JSON.stringify({ inputs: inputs(), outputs: [{ name: 'logits', parameters }], ...more }));

    it('classification: the best labels as value:index:label, in JSON and as binary data', async () => {
      const native = (await (await post('/v1/classify?function_to_apply=none&top_k=3', photo)).json()) as {
        predictions: { label: string; score: number; index: number }[];
      };
      const lines = native.predictions.map(({ label, score, index }) => `${score.toFixed(6)}:${index}:${label}`);
      const json = (await (await asked({ classification: 3 })).json()) as { outputs: unknown[] };
      expect(json.outputs).toEqual([{ name: 'logits', shape: [1, 3], datatype: 'BYTES', data: lines }]);
      const binary = await asked({ classification: 3, binary_data: true });
      const length = Number(binary.headers.get(HEADER_LENGTH_HEADER));
      const [output] = decodeInferResponse(new Uint8Array(await binary.arrayBuffer()), length).outputs;
      if (output?.datatype !== 'BYTES') throw new Error('no BYTES');
      expect(output.data.map((element) => new TextDecoder().decode(element))).toEqual(lines);
    });

    it('classification: at most as many as there are labels; what is no count is refused', async () => {
      const all = (await (await asked({ classification: 1e6 })).json()) as { outputs: { shape: number[] }[] };
      expect(all.outputs[0]!.shape).toEqual([1, manifest.num_labels]);
      expect((await asked({ classification: 0 })).status).toBe(200);
      for (const classification of [-1, 1.5, 'three', true]) {
        const refused = await asked({ classification });
        expect([refused.status, await refused.json()]).toEqual([
          400,
          { error: expect.stringContaining('count of classes') },
        ]);
      }
    });

    it('null members are absent ones', async () => {
      const answer = await infer(
        path(),
        JSON.stringify({
          id: null,
          parameters: null,
          outputs: null,
          inputs: inputs().map((each) => ({ ...each, parameters: null })),
        }),
      );
      expect(answer.status).toBe(200);
    });

    it('/v2/ with its slash is /v2, which names the extensions', async () => {
      const bare = await (await SELF.fetch(`${ORIGIN}/v2`)).json();
      expect(bare).toMatchObject({ extensions: expect.arrayContaining(['binary_tensor_data', 'classification']) });
      expect(await (await SELF.fetch(`${ORIGIN}/v2/`)).json()).toEqual(bare);
    });

    it('config tells the largest batch, and dimensions without it', async () => {
      const { inputs: taken, outputs } = manifest.variants[manifest.default_variant]!;
      const response = await SELF.fetch(`${ORIGIN}/v2/models/${manifest.name}/config`);
      const config = (await response.json()) as { input: unknown[]; output: { name: string; dims: number[] }[] };
      expect(config).toMatchObject({ name: manifest.name, backend: 'onnxruntime', max_batch_size: 16 });
      expect(config.input).toEqual([
        { name: taken[0]!.name, data_type: 'TYPE_FP32', dims: taken[0]!.shape.slice(1) },
        { name: 'image', data_type: 'TYPE_STRING', dims: [1] },
      ]);
      expect(config.output.map(({ name }) => name)).toEqual(outputs.map(({ name }) => name));
      expect(config.output.find(({ name }) => name === 'logits')?.dims).toEqual([manifest.num_labels]);
      expect((await SELF.fetch(`${ORIGIN}/v2/models/nobody/config`)).status).toBe(404);
    });

    it('stats count what was answered and what was refused, of one version', async () => {
      const read = async () => {
        const url = `${ORIGIN}/v2/models/${manifest.name}/versions/${manifest.version}/stats`;
        const { model_stats } = (await (await SELF.fetch(url)).json()) as {
          model_stats: { version: string; inference_count: number; inference_stats: { fail: { count: number } } }[];
        };
        return model_stats[0]!;
      };
      const before = await read();
      expect(before.version).toBe(manifest.version);
      await asked({});
      await infer(path(), JSON.stringify({ inputs: [{ ...inputs()[0], data: ['AAAA'] }] }));
      const after = await read();
      expect(after.inference_count - before.inference_count).toBe(1);
      expect(after.inference_stats.fail.count - before.inference_stats.fail.count).toBe(1);
      expect((await SELF.fetch(`${ORIGIN}/v2/models/nobody/stats`)).status).toBe(404);
    });

    it('the repository index lists versions, and with ready those that are loaded', async () => {
      const entry = { name: manifest.name, version: manifest.version, state: 'READY', reason: '' };
      for (const body of ['{}', '{"ready":true}', '{"ready":null}']) {
        const response = await post('/v2/repository/index', body, JSON_TYPE);
        expect(await response.json(), body).toContainEqual(entry);
      }
      const bare = await SELF.fetch(`${ORIGIN}/v2/repository/index`, { method: 'POST' });
      expect(await bare.json()).toContainEqual(entry);
      expect((await post('/v2/repository/index', '{"ready":1}', JSON_TYPE)).status).toBe(400);
    });
  });

  it('an unknown model: 404 with {error}', async () => {
    const response = await SELF.fetch(`${ORIGIN}/v2/models/nobody`);
    expect([response.status, await response.json()]).toEqual([404, { error: expect.stringContaining('nobody') }]);
  });
});

it('imageClassification of @huggingface/inference sends its key; without one it is refused', async () => {
  const random = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES));
  const key = {
    name: 't',
    scopes: ['classify'],
    rateTier: 'standard',
    createdAt: '2026-01-01T00:00:00Z',
    expiresAt: null,
  } as const;
  const { token, record } = await mintApiKey({ ...key, scopes: [...key.scopes] }, random);
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  const data = new Blob([photo], { type: 'image/png' });
  const endpointUrl = `https://bit-edge.example/models/${manifest.name}`;
  const options = { fetch: viaSelf };
  expect(await imageClassification({ accessToken: token, data, endpointUrl }, options)).toEqual(expected);
  await expect(imageClassification({ data, endpointUrl }, options)).rejects.toThrow(/API key/);
});
