import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../../gpu-backend/app.ts';
import { BackendMetrics } from '../../../gpu-backend/backend-metrics.ts';
import { ByteBudget } from '../../../gpu-backend/byte-budget.ts';
import type { Engine } from '../../../gpu-backend/engine.ts';
import type { RawTensor, RunRequest } from '../../../gpu-backend/engine-protocol.ts';
import { Lifecycle } from '../../../gpu-backend/lifecycle.ts';
import type { Log } from '../../../gpu-backend/log.ts';
import type { ModelSignature } from '../../../gpu-backend/model-signature.ts';
import { Registry } from '../../../gpu-backend/registry.ts';
import { ServedModel } from '../../../gpu-backend/served-model.ts';
import { folderFiles } from '../../../gpu-backend/store/folder-files.ts';
import { writeAlias, writeVersion } from '../../support/gpu-store.ts';

/** The model of the specification's examples: two inputs, one output. The shapes are free. */
const SIGNATURE: ModelSignature = {
  inputs: [
    { name: 'input0', datatype: 'UINT32', shape: [-1, 2] },
    { name: 'input1', datatype: 'BOOL', shape: [-1] },
  ],
  outputs: [{ name: 'output0', datatype: 'FP32', shape: [-1, 2] }],
};
const IMAGE: ModelSignature = {
  inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, 1, 1, 3] }],
  outputs: [
    { name: 'logits', datatype: 'FP32', shape: [-1, 2] },
    { name: 'pooler_output', datatype: 'FP32', shape: [-1, 1] },
  ],
};
/** How long a test waits for something to show. */
const POLL = { interval: 1, timeout: 20_000 };
const TOKEN = 'correct-horse-battery';
type Body = NonNullable<RequestInit['body']>;

/** Answers with the bytes of each image: logits = [r + g + b, r], pooler_output = [b]; output0 as in the specification. */
function compute(request: RunRequest): RawTensor[] {
  const rows = request.inputs[0]!.shape[0]!;
  const input = new Uint8Array(request.inputs[0]!.buffer);
  return request.outputs.map((name) => {
    const width = name === 'pooler_output' ? 1 : 2;
    const data = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const [r = 0, g = 0, b = 0] = input.subarray(3 * row);
      if (name === 'output0') data.set([row + 1, row + 1.5], 2 * row);
      else data.set(name === 'logits' ? [r + g + b, r] : [b], width * row);
    }
    return { name, datatype: 'FP32', shape: [rows, width], buffer: data.buffer };
  });
}

let root = '';
let runs: RunRequest[] = [];
let released: string[] = [];
let logged: string[] = [];
let hold: Promise<void> = Promise.resolve();
let busyMs = 0;
let lifecycle: Lifecycle;
let registry: Registry;
let app: Hono;

const loaded = {
  provider: 'cpu',
  precision: 'float32',
  rejected: [],
  loadMs: 1,
  warmUpMs: 1,
  deviation: null,
} as const;
const log: Log = (level, event, fields) => void logged.push(JSON.stringify({ level, event, ...fields }));
const engine: Engine = {
  load: async () => loaded,
  run: async (request) => {
    runs.push(request);
    await hold;
    return { outputs: compute(request), computeMs: 1 };
  },
  release: async (session) => void released.push(session),
  close: async () => {},
  busyMs: () => busyMs,
};

async function write(name: string, version: string, withoutGpu = false) {
  const image = { name: 'image', dtype: 'uint8' as const, shape: ['batch', 1, 1, 3] };
  const logits = { name: 'logits', dtype: 'float32' as const, shape: ['batch', 2] };
  await writeVersion(root, {
    name,
    version,
    onnx: new Uint8Array(1),
    inputs: [image],
    outputs: [logits],
    sidePx: 1,
    withoutGpu,
  });
}

function makeRegistry(loadError: () => Error | null = () => null): Registry {
  const metrics = new BackendMetrics(
    () => registry.models(),
    () => lifecycle.phase === 'ready',
  );
  const made = new Registry({
    files: folderFiles(root),
    references: [],
    defaultAlias: 'latest',
    load: async ({ name }) => {
      const error = loadError();
      if (error !== null) throw error;
      return { signature: name === 'mymodel' ? SIGNATURE : IMAGE, loaded };
    },
    serve: ({ name, version }, { signature }) => {
      const batch = { maxBatch: 4, maxDelayMs: 0, maxQueue: 8 };
      const hooks = {
        now: () => performance.now(),
        schedule: (ms: number, task: () => void) => {
          const timer = setTimeout(task, ms);
          return () => clearTimeout(timer);
        },
      };
      return new ServedModel({ name, version, signature, loaded, engine, batch, metrics, hooks });
    },
    release: async (model) => void released.push(`${model.name}/${model.version}`),
    log,
  });
  const bodies = new ByteBudget(20_000);
  const isStalled = () => engine.busyMs() > 1000;
  app = createApp({
    bodies,
    isStalled,
    registry: made,
    lifecycle,
    metrics,
    maxRequestBytes: 4096,
    token: TOKEN,
    log,
    now: () => 0,
  });
  return made;
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gpu-app-'));
  runs = [];
  released = [];
  busyMs = 0;
  logged = [];
  hold = Promise.resolve();
  lifecycle = new Lifecycle();
  await write('tiny', '1');
  await write('tiny', '2');
  await write('mymodel', '1');
  await writeAlias(root, 'tiny', 'latest', '2');
  await writeAlias(root, 'tiny', 'stable', '1');
  registry = makeRegistry();
  await registry.sync(true);
  lifecycle.markReady();
});
afterEach(() => rm(root, { recursive: true }));

const call = (path: string, init: RequestInit = {}, token: string | null = TOKEN) =>
  app.request(path, { ...init, headers: { ...(token && { authorization: `Bearer ${token}` }), ...init.headers } });
const post = (path: string, body: Body, headers: Record<string, string> = {}) =>
  call(path, { method: 'POST', body, headers });
const imageRequest = (data: number[], more = {}) =>
  JSON.stringify({ inputs: [{ name: 'image', shape: [data.length / 3, 1, 1, 3], datatype: 'UINT8', data }], ...more });

describe('the examples of the specification, byte for byte', () => {
  const JSON_EXAMPLE = `    {
      "id" : "42",
      "inputs" : [
        {
          "name" : "input0",
          "shape" : [ 2, 2 ],
          "datatype" : "UINT32",
          "data" : [ 1, 2, 3, 4 ]
        },
        {
          "name" : "input1",
          "shape" : [ 3 ],
          "datatype" : "BOOL",
          "data" : [ true ]
        }
      ],
      "outputs" : [
        {
          "name" : "output0"
        }
      ]
    }
`;
  const BINARY_EXAMPLE = `{
  "model_name" : "mymodel",
  "inputs" : [
    {
      "name" : "input0",
      "shape" : [ 2, 2 ],
      "datatype" : "UINT32",
      "parameters" : {
        "binary_data_size" : 16
      }
    },
    {
      "name" : "input1",
      "shape" : [ 3 ],
      "datatype" : "BOOL",
      "parameters" : {
        "binary_data_size" : 3
      }
    }
  ],
  "outputs" : [
    {
      "name" : "output0",
      "parameters" : {
        "binary_data" : true
      }
    }
  ]
}
`;
  const TENSORS = Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 1);

  test('JSON: the printed example gives one BOOL for the shape [ 3 ], which is refused with both numbers', async () => {
    const response = await post('/v2/models/mymodel/infer', JSON_EXAMPLE, { 'content-type': 'application/json' });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: expect.stringContaining('tensor "input1": "data" has 1 elements; shape [3]'),
    });
  });

  test('JSON: with a BOOL for each of two rows it is answered, with its id', async () => {
    const whole = JSON_EXAMPLE.replace('[ 3 ]', '[ 2 ]').replace('[ true ]', '[ true, false ]');
    const response = await post('/v2/models/mymodel/infer', whole, { 'content-type': 'application/json' });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      model_name: 'mymodel',
      model_version: '1',
      id: '42',
      outputs: [{ name: 'output0', shape: [2, 2], datatype: 'FP32', data: [1, 1.5, 2, 2.5] }],
    });
    expect(new Uint32Array(runs[0]!.inputs[0]!.buffer)).toEqual(Uint32Array.of(1, 2, 3, 4));
    expect(new Uint8Array(runs[0]!.inputs[1]!.buffer)).toEqual(Uint8Array.of(1, 0));
  });

  async function postBinary(header: string, tensors: Uint8Array<ArrayBuffer>) {
    const json = new TextEncoder().encode(header);
    return await post('/v2/models/mymodel/infer', new Blob([json, tensors]), {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(json.byteLength),
    });
  }

  test('binary: the tensors are found, and shapes that are no batch are refused by name', async () => {
    const response = await postBinary(BINARY_EXAMPLE, TENSORS);
    expect([response.status, await response.json()]).toEqual([400, { error: 'input "input1" has 3 rows; "input0" 2' }]);
  });

  test('binary: with one batch size it is answered with a header length and binary data', async () => {
    const even = BINARY_EXAMPLE.replace('[ 2, 2 ]', '[ 3, 2 ]').replace(': 16', ': 24');
    const tensors = new Uint8Array([...TENSORS.subarray(0, 16), 5, 0, 0, 0, 6, 0, 0, 0, 1, 0, 1]);
    const response = await postBinary(even, tensors);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/octet-stream']);
    const headerLength = Number(response.headers.get('inference-header-content-length'));
    const body = await response.arrayBuffer();
    expect(body.byteLength).toBe(headerLength + 24);
    expect(JSON.parse(new TextDecoder().decode(body.slice(0, headerLength)))).toEqual({
      model_name: 'mymodel',
      model_version: '1',
      outputs: [{ name: 'output0', shape: [3, 2], datatype: 'FP32', parameters: { binary_data_size: 24 } }],
    });
    expect(new Float32Array(body.slice(headerLength))).toEqual(Float32Array.of(1, 1.5, 2, 2.5, 3, 3.5));
  });
});

describe('inference', () => {
  test('requests that arrive together share a batch, and each gets its own rows and outputs', async () => {
    let release = () => {};
    hold = new Promise((resolve) => {
      release = resolve;
    });
    const first = post('/v2/models/tiny/infer', imageRequest([9, 9, 9]));
    await expect.poll(() => runs.length, POLL).toBe(1);
    const second = post('/v2/models/tiny/infer', imageRequest([1, 2, 3, 4, 5, 6], { outputs: [{ name: 'logits' }] }));
    const third = post('/v2/models/tiny/infer', imageRequest([7, 8, 9], { outputs: [{ name: 'pooler_output' }] }));
    await expect.poll(() => [...registry.models()].reduce((sum, model) => sum + model.queuedRows, 0), POLL).toBe(3);
    release();
    const answers = await Promise.all([first, second, third].map(async (answer) => (await answer).json()));
    expect(answers).toMatchObject([
      {
        outputs: [
          { name: 'logits', data: [27, 9] },
          { name: 'pooler_output', data: [9] },
        ],
      },
      { outputs: [{ name: 'logits', shape: [2, 2], data: [6, 1, 15, 4] }] },
      { outputs: [{ name: 'pooler_output', shape: [1, 1], data: [9] }] },
    ]);
    expect(runs.map(({ inputs }) => inputs[0]!.shape)).toEqual([
      [1, 1, 1, 3],
      [3, 1, 1, 3],
    ]);
  });

  test.each<[string, string, string]>([
    [
      'a wrong shape',
      '{"inputs":[{"name":"image","shape":[1,1,3],"datatype":"UINT8","data":[1,2,3]}]}',
      '[1,1,3]; the model takes [-1,1,1,3]',
    ],
    [
      'another size',
      '{"inputs":[{"name":"image","shape":[1,2,1,3],"datatype":"UINT8","data":[1,2,3,4,5,6]}]}',
      '[1,2,1,3]; the model takes',
    ],
    ['no row', '{"inputs":[{"name":"image","shape":[0,1,1,3],"datatype":"UINT8","data":[]}]}', 'shape [0,1,1,3]'],
    ['too many rows', imageRequest(new Array(15).fill(1)), 'batch of 5; 1 to 4 rows'],
    [
      'another data type',
      '{"inputs":[{"name":"image","shape":[1,1,1,3],"datatype":"FP32","data":[1,2,3]}]}',
      'is FP32; the model takes UINT8',
    ],
    [
      'another input',
      '{"inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[1]}]}',
      'input "x" is unknown; inputs: image',
    ],
    [
      'an unknown output',
      imageRequest([1, 2, 3], { outputs: [{ name: 'scores' }] }),
      'output "scores" is unknown; outputs: logits, pooler_output',
    ],
    ['no JSON', '{"inputs":', 'no JSON'],
    ['nothing', '', 'the body is empty'],
  ])('%s is 400 and says so', async (_, body, message) => {
    const response = await post('/v2/models/tiny/infer', body);
    expect([response.status, await response.json()]).toEqual([400, { error: expect.stringContaining(message) }]);
    expect(runs).toHaveLength(0);
  });

  test('a body over the limit is 413, announced or not; at the limit it is read', async () => {
    const json = imageRequest([1, 2, 3]);
    const sized = (length: number) => json.padEnd(length);
    const stream = (text: string) => new Blob([text]).stream();
    const status = async (body: Body, headers = {}) => {
      const init = { method: 'POST', body, headers, duplex: 'half' as const };
      return (await call('/v2/models/tiny/infer', init)).status;
    };
    expect(await status(sized(4096), { 'content-length': '4096' })).toBe(200);
    expect(await status(sized(4097), { 'content-length': '4097' })).toBe(413);
    expect(await status(stream(sized(4096)))).toBe(200);
    expect(await status(stream(sized(4097)))).toBe(413);
  });

  test('an encoded body is 415', async () => {
    const response = await post('/v2/models/tiny/infer', imageRequest([1, 2, 3]), { 'content-encoding': 'gzip' });
    expect(response.status).toBe(415);
  });

  test('a full queue is 503 with Retry-After, before the body is read', async () => {
    let release = () => {};
    hold = new Promise((resolve) => {
      release = resolve;
    });
    const accepted = Array.from({ length: 4 }, () =>
      post('/v2/models/tiny/infer', imageRequest(new Array(12).fill(1))),
    );
    await expect.poll(() => registry.get('tiny', '2').queuedRows, POLL).toBe(8);
    const refused = await post('/v2/models/tiny/infer', 'not even JSON');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toEqual({ error: expect.stringContaining('8 of 8 rows wait') });
    release();
    expect((await Promise.all(accepted)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test('bodies of requests under way are bounded together; their memory is given back', async () => {
    let release = () => {};
    hold = new Promise((resolve) => {
      release = resolve;
    });
    const send = () => {
      const body = imageRequest([1, 2, 3]).padEnd(4000);
      return post('/v2/models/tiny/infer', body, { 'content-length': '4000' });
    };
    const accepted = Array.from({ length: 5 }, send);
    await expect.poll(() => runs.length, POLL).toBeGreaterThan(0);
    const refused = await send();
    expect([refused.status, await refused.json()]).toEqual([
      503,
      { error: expect.stringContaining('20000 of 20000 bytes') },
    ]);
    release();
    expect((await Promise.all(accepted)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await send()).status).toBe(200);
  });

  test('other methods are 405', async () => {
    expect((await call('/v2/models/tiny/infer')).status).toBe(405);
  });
});

describe('versions', () => {
  const versionOf = async (path: string) => {
    const answer: unknown = await (await post(path, imageRequest([1, 2, 3]))).json();
    return (answer as { model_version: string }).model_version;
  };

  test('every version that an alias names is served; a request without one gets the default', async () => {
    expect(await versionOf('/v2/models/tiny/infer')).toBe('2');
    expect(await versionOf('/v2/models/tiny/versions/1/infer')).toBe('1');
    const metadata: unknown = await (await call('/v2/models/tiny')).json();
    expect(metadata).toMatchObject({ versions: ['2', '1'], parameters: { version: '2', max_batch_size: 4 } });
    expect(await (await call('/v2/models/tiny/versions/1')).json()).toMatchObject({ parameters: { version: '1' } });
  });

  test('a moved alias takes effect at the next look; the version nobody names any more is released', async () => {
    await writeAlias(root, 'tiny', 'latest', '1');
    await registry.sync(false);
    expect([await versionOf('/v2/models/tiny/infer'), released]).toEqual(['1', ['tiny/2']]);
    expect((await post('/v2/models/tiny/versions/2/infer', imageRequest([1, 2, 3]))).status).toBe(404);
  });

  test('a new version that does not load is logged, and the old one stays', async () => {
    let broken: Error | null = null;
    const failing = makeRegistry(() => broken);
    await failing.sync(true);
    await write('tiny', '3');
    await writeAlias(root, 'tiny', 'latest', '3');
    broken = new Error('corrupt');
    await failing.sync(false);
    expect(await versionOf('/v2/models/tiny/infer')).toBe('2');
    expect(logged.join()).toContain('"event":"model_load_failed","model":"tiny","version":"3"');
    broken = null;
    await failing.sync(false);
    expect([await versionOf('/v2/models/tiny/infer'), released]).toEqual(['3', ['tiny/2']]);
  });

  test('at the start a version that does not load is an error', async () => {
    await expect(makeRegistry(() => new Error('corrupt')).sync(true)).rejects.toThrow('corrupt');
  });

  test('a model without the gpu variant is passed over', async () => {
    await write('edge-only', '1', true);
    await registry.sync(true);
    expect((await call('/v2/models/edge-only')).status).toBe(404);
    expect((await call('/v2/models/tiny')).status).toBe(200);
  });
});

describe('the server', () => {
  test('metadata names the extensions, and the configuration the largest batch', async () => {
    expect(await (await call('/v2')).json()).toMatchObject({
      name: 'bit-edge-gpu-backend',
      extensions: ['binary_tensor_data', 'model_configuration'],
      parameters: { providers: 'cpu' },
    });
    expect(await (await call('/v2/models/tiny/config')).json()).toMatchObject({
      max_batch_size: 4,
      input: [{ name: 'image', data_type: 'TYPE_UINT8', dims: [1, 1, 3] }],
    });
  });

  test.each([
    [null, 401],
    ['correct-horse-batterx', 401],
    ['correct', 401],
    [TOKEN, 200],
  ])('the token %j is %i, on every path but health', async (token, status) => {
    for (const path of ['/v2', '/v2/models/tiny', '/metrics'])
      expect((await call(path, {}, token)).status).toBe(status);
    const infer = await call('/v2/models/tiny/infer', { method: 'POST', body: imageRequest([1, 2, 3]) }, token);
    expect(infer.status).toBe(status);
    expect((await call('/v2/health/live', {}, token)).status).toBe(200);
    expect((await call('/v2/health/ready', {}, token)).status).toBe(200);
    if (status === 401) expect(infer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test.each([
    '/v2/models/none',
    '/v2/models/tiny/versions/9',
    '/v2/models/none/ready',
    '/v2/models/none/config',
    '/nothing',
  ])('%s is 404 with an error body', async (path) => {
    const response = await call(path);
    expect([response.status, await response.json()]).toEqual([404, { error: expect.any(String) }]);
  });

  test('draining: not ready, new requests 503, accepted ones answered', async () => {
    let release = () => {};
    hold = new Promise((resolve) => {
      release = resolve;
    });
    const accepted = post('/v2/models/tiny/infer', imageRequest([1, 2, 3]));
    await expect.poll(() => runs.length, POLL).toBe(1);
    lifecycle.markDraining();
    expect((await call('/v2/health/ready')).status).toBe(503);
    expect((await call('/v2/models/tiny/ready')).status).toBe(503);
    expect((await call('/v2/health/live')).status).toBe(200);
    const refused = await post('/v2/models/tiny/infer', imageRequest([1, 2, 3]));
    expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('connection')]).toEqual([
      503,
      '1',
      'close',
    ]);
    release();
    await lifecycle.idle();
    expect((await accepted).status).toBe(200);
  });

  test('a device that hangs makes the process not live', async () => {
    busyMs = 1000;
    expect((await call('/v2/health/live')).status).toBe(200);
    busyMs = 1001;
    const response = await call('/v2/health/live');
    expect([response.status, await response.json()]).toEqual([503, { live: false }]);
  });

  test('metrics count every request once, by outcome', async () => {
    await post('/v2/models/tiny/infer', imageRequest([1, 2, 3, 4, 5, 6]));
    await post('/v2/models/tiny/infer', '{');
    await post('/v2/models/none/infer', '{');
    const text = await (await call('/metrics')).text();
    expect(text).toContain('bit_gpu_requests_total{model="tiny",version="2",outcome="ok"} 1\n');
    expect(text).toContain('bit_gpu_requests_total{model="tiny",version="2",outcome="invalid"} 1\n');
    expect(text).toContain('bit_gpu_requests_total{outcome="not_found"} 1\n');
    expect(text).toContain('bit_gpu_images_total{model="tiny",version="2"} 2\n');
    expect(text).toContain('bit_gpu_batch_size_bucket{model="tiny",version="2",le="2"} 1\n');
    expect(text).toContain('bit_gpu_ready 1\n');
  });

  test('a failure inside is 500, logged, and its text is not shown unless it is ours', async () => {
    hold = Promise.reject(new TypeError('secret path'));
    const response = await post('/v2/models/tiny/infer', imageRequest([1, 2, 3]));
    expect([response.status, await response.json()]).toEqual([500, { error: 'internal error' }]);
    expect(logged.join()).toContain('request_failed');
  });
});
