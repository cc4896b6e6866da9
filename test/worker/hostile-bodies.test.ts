/** Bodies that are made to cost more than they are worth: each is refused, and the next request is answered. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

let photo: Uint8Array<ArrayBuffer>;
let model: string;

beforeAll(async () => {
  model = (await seedDefaultModel()).name;
  photo = await readFixture('photo.png');
});

function post(path: string, body: BodyInit, headers: Record<string, string> = JSON_TYPE): Promise<Response> {
  return SELF.fetch(`http://localhost${path}`, { method: 'POST', body, headers });
}

const many = (element: string, count: number): string => `[${`${element},`.repeat(count - 1)}${element}]`;
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const parts = (count: number): string =>
  `${'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n'.repeat(count)}--b--\r\n`;

const tensor = (data: string, shape: string, datatype = 'BYTES'): string =>
  `{"inputs":[{"name":"image","shape":${shape},"datatype":"${datatype}","data":${data}}]}`;

describe('a body that costs more than it is worth is refused', () => {
  const form = { 'content-type': 'multipart/form-data; boundary=b' };
  const cases: [string, () => Promise<Response>, number, string][] = [
    [
      'classify: a list of 3,000,000 ones',
      () => post('/v1/classify', `{"images":${many('1', 3_000_000)}}`),
      413,
      'body_too_large',
    ],
    ['classify: 17 images', () => post('/v1/classify', `{"images":${many('1', 17)}}`), 413, 'too_many_images'],
    ['classify: 100,000 parts', () => post('/v1/classify', parts(100_000), form), 413, 'too_many_images'],
    ['embed: JSON nested 100,000 deep', () => post('/v1/embed', `{"image":${nested(100_000)}}`), 400, 'invalid_body'],
    ['moderate: 100,000 parts', () => post('/v1/moderate', parts(100_000), form), 413, 'too_many_images'],
    ['jobs: inputs nested 5,000 deep', () => post('/v1/jobs', `{"inputs":[${nested(5000)}]}`), 400, 'invalid_body'],
    [
      'jobs: parameters nested 5,000 deep',
      () => post('/v1/jobs', `{"inputs":["a"],"parameters":{"x":${nested(5000)}}}`),
      400,
      'invalid_body',
    ],
    ['jobs: 2,000,000 inputs', () => post('/v1/jobs', `{"inputs":${many('1', 2_000_000)}}`), 413, 'body_too_large'],
    [
      'Hugging Face: 1,000,000 inputs',
      () => post(`/models/${model}`, `{"inputs":${many('1', 1_000_000)}}`),
      413,
      'body_too_large',
    ],
    [
      'Workers AI: 1,000,000 strings',
      () => post(`/ai/run/${model}`, `{"image":${many('""', 1_000_000)}}`),
      400,
      'invalid_parameter',
    ],
    [
      'Workers AI: lists in a list',
      () => post(`/ai/run/${model}`, `{"image":${many('[]', 1_000_000)}}`),
      413,
      'body_too_large',
    ],
    [
      'inference protocol: 1,000,000 inputs',
      () => post(`/v2/models/${model}/infer`, `{"inputs":${many('{}', 1_000_000)}}`),
      413,
      'body_too_large',
    ],
    [
      'inference protocol: a tensor of 1,000,000 empty texts',
      () => post(`/v2/models/${model}/infer`, tensor(many('""', 1_000_000), '[1000000]')),
      400,
      'invalid_body',
    ],
    [
      'inference protocol: 1,000,000 arrays of one',
      () => post(`/v2/models/${model}/infer`, tensor(many('[1]', 1_000_000), '[1000000,1]', 'FP32')),
      413,
      'body_too_large',
    ],
    ['inference protocol: 1,000,000 empty binary elements', binaryElements, 400, 'invalid_body'],
    ['alias: JSON nested 5,000 deep', () => put(`{"version":${nested(5000)}}`), 400, 'invalid_body'],
  ];

  function binaryElements(): Promise<Response> {
    const count = 1_000_000;
    const header = `{"inputs":[{"name":"image","shape":[${count}],"datatype":"BYTES","parameters":{"binary_data_size":${4 * count}}}]}`;
    const headers = { 'inference-header-content-length': String(header.length) };
    return post(`/v2/models/${model}/infer`, new Blob([header, new Uint8Array(4 * count)]), headers);
  }

  function put(body: string): Promise<Response> {
    return SELF.fetch(`http://localhost/v1/models/${model}/aliases/x`, { method: 'PUT', body, headers: JSON_TYPE });
  }

  it.each(cases)('%s', async (_, send, status, code) => {
    const response = await send();
    const text = await response.text();
    expect(text.length).toBeLessThan(1000);
    expect([response.status, response.headers.get('x-error-code') ?? JSON.parse(text).code]).toEqual([status, code]);
    expect((await post('/v1/classify', photo, {})).status).toBe(200);
  });
});

describe('forms as clients write them', () => {
  it('are answered as the image alone is', async () => {
    const clients = JSON.parse(new TextDecoder().decode(await readFixture('multipart/clients.json'))) as Record<
      string,
      { content_type: string; body: string }
    >;
    const expected = (await (await post('/v1/classify?top_k=3', photo, {})).json()) as { predictions: unknown };
    for (const [client, { content_type, body }] of Object.entries(clients)) {
      const [before, after] = body.split('PHOTO') as [string, string];
      const response = await post('/v1/classify', new Blob([before, photo, after]), { 'content-type': content_type });
      expect(await response.json(), client).toMatchObject({ predictions: expected.predictions });
    }
  });

  it('of /v1/moderate too', async () => {
    const head = '--b\r\nContent-Type: image/png\r\nContent-Disposition: form-data; name=image\r\n\r\n';
    const response = await post('/v1/moderate', new Blob([head, photo, '\r\n--b--']), {
      'content-type': 'multipart/form-data; boundary="b"',
    });
    expect(response.status).toBe(200);
  });
});

describe('a list of bytes to Workers AI', () => {
  it('is read as the bytes are', async () => {
    const raw = await (await post(`/ai/run/@cf/x/${model}`, photo, {})).text();
    expect(await (await post(`/ai/run/@cf/x/${model}`, JSON.stringify({ image: [...photo] }))).text()).toBe(raw);
  });

  it.each([
    ['{"image":[]}', 'empty_body'],
    ['{"image":[1],"top_k":3}', 'unknown_parameter'],
    ['{"image":null}', 'invalid_parameter'],
    ['{"image":[1', 'invalid_body'],
  ])('%s is refused: %s', async (body, code) => {
    expect((await post(`/ai/run/${model}`, body)).headers.get('x-error-code')).toBe(code);
  });
});

it('keeps what is stored as it is', async () => {
  expect((await env.JOBS.list()).objects).toEqual([]);
});
