import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../model-store/manifest.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const URL_CLASSIFY = 'http://localhost/v1/classify';

interface Answer {
  model: { name: string; version: string };
  predictions: { label: string; score: number; index: number }[];
  image: { format: string; width: number; height: number };
  timing: Record<string, number>;
}

let manifest: Manifest;
let labels: string[];
let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  manifest = await seedDefaultModel();
  labels = JSON.parse(new TextDecoder().decode(await readFixture('model/labels.json'))) as string[];
  photo = await readFixture('photo.png');
});

function post(body: BodyInit, query = '', headers: Record<string, string> = {}): Promise<Response> {
  return SELF.fetch(URL_CLASSIFY + query, { method: 'POST', body, headers });
}

async function classify(body: BodyInit, query = '', headers: Record<string, string> = {}): Promise<Answer> {
  const response = await post(body, query, headers);
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

async function problem(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const body = (await response.json()) as Record<string, unknown>;
  expect(body.status).toBe(response.status);
  expect(body.request_id).toBe(response.headers.get('x-request-id'));
  return body;
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

describe('POST /v1/classify', () => {
  it('answers raw bytes with five labels, best first, whose softmax scores are a part of 1', async () => {
    const answer = await classify(photo);
    expect(answer.model).toEqual({ name: manifest.name, version: manifest.version });
    expect(answer.image).toEqual({ format: 'png', width: 128, height: 128 });
    expect(answer.predictions).toHaveLength(5);
    const scores = answer.predictions.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(scores.reduce((sum, score) => sum + score)).toBeLessThan(1);
    for (const { label, index } of answer.predictions) expect(label).toBe(labels[index]);
  });

  it('answers the same for raw bytes, multipart, base64 and a data: URI', async () => {
    const form = new FormData();
    form.set('image', new File([photo], 'photo.png', { type: 'image/png' }));
    const json = { 'content-type': 'application/json' };
    const raw = await classify(photo, '', { 'content-type': 'image/png' });
    const others = [
      await classify(photo, '', { 'content-type': 'application/x-www-form-urlencoded' }),
      await classify(form),
      await classify(JSON.stringify({ image: toBase64(photo) }), '', json),
      await classify(JSON.stringify({ image: `data:image/png;base64,${toBase64(photo)}` }), '', json),
    ];
    for (const other of others) expect(other.predictions).toEqual(raw.predictions);
  });

  it('takes top_k and function_to_apply from the query, a form, or JSON', async () => {
    const softmax = await classify(photo, `?top_k=${labels.length}`);
    expect(softmax.predictions.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 6);
    const form = new FormData();
    form.set('image', new File([photo], 'photo.png'));
    form.set('top_k', '1');
    form.set('function_to_apply', 'none');
    const [logit] = (await classify(form)).predictions;
    const body = JSON.stringify({ image: toBase64(photo), top_k: 1, function_to_apply: 'sigmoid' });
    const [sigmoid] = (await classify(body, '', { 'content-type': 'application/json' })).predictions;
    expect(sigmoid!.score).toBeCloseTo(1 / (1 + Math.exp(-logit!.score)), 9);
    expect(sigmoid!.index).toBe(softmax.predictions[0]!.index);
  });

  it('reports stages in Server-Timing as in the body, and never a zero', async () => {
    const response = await post(photo);
    const { timing } = (await response.json()) as Answer;
    const header = response.headers.get('server-timing') ?? '';
    for (const [stage, ms] of Object.entries(timing)) {
      expect(ms).toBeGreaterThan(0);
      expect(header).toContain(`${stage.replace('_ms', '')};dur=${ms}`);
    }
  });

  it('echoes a request id that is one, and replaces one that is not', async () => {
    expect((await post(photo, '', { 'x-request-id': 'abc-123' })).headers.get('x-request-id')).toBe('abc-123');
    expect((await post(photo, '', { 'x-request-id': 'a b' })).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('bad input to POST /v1/classify', () => {
  const json = { 'content-type': 'application/json' };

  /** A PNG header that promises `width` x `height`. */
  function pngHeader(width: number, height: number): Uint8Array<ArrayBuffer> {
    const bytes = photo.slice();
    const view = new DataView(bytes.buffer);
    view.setUint32(16, width);
    view.setUint32(20, height);
    view.setUint32(29, crc32(bytes.subarray(12, 29)));
    return bytes;
  }

  const cases: [string, () => Promise<Response>, number, string, Record<string, unknown>][] = [
    ['an empty body', () => post(new Uint8Array(0)), 400, 'empty_body', {}],
    ['text', () => post('hello, world', '', { 'content-type': 'image/png' }), 415, 'unrecognized_image', {}],
    [
      'a content type that is not an image',
      () => post(photo, '', { 'content-type': 'text/html' }),
      415,
      'unsupported_media_type',
      { content_type: 'text/html' },
    ],
    ['half an image', () => post(photo.slice(0, photo.length >> 1)), 422, 'truncated_image', {}],
    [
      'a header of 100 MP',
      () => post(pngHeader(10_000, 10_000)),
      413,
      'image_too_large',
      { value: 100_000_000, maximum: 50_000_000 },
    ],
    [
      'more bytes than the limit',
      () => post(new Uint8Array(20 * 1024 * 1024 + 1)),
      413,
      'body_too_large',
      { limit_bytes: 20 * 1024 * 1024 },
    ],
    ['an unknown model', () => post(photo, '?model=nobody'), 404, 'model_not_found', { model: 'nobody' }],
    ['a model name that is a path', () => post(photo, '?model=../x'), 404, 'model_not_found', {}],
    ['an unknown version', () => post(photo, `?model=${manifest.name}@v0`), 404, 'model_not_found', { version: 'v0' }],
    ['top_k=0', () => post(photo, '?top_k=0'), 400, 'invalid_parameter', { parameter: 'top_k' }],
    ['top_k=x', () => post(photo, '?top_k=x'), 400, 'invalid_parameter', { parameter: 'top_k' }],
    ['top_k given twice', () => post(photo, '?top_k=1&top_k=2'), 400, 'invalid_parameter', { parameter: 'top_k' }],
    [
      'an unknown function',
      () => post(photo, '?function_to_apply=max'),
      400,
      'invalid_parameter',
      { parameter: 'function_to_apply' },
    ],
    ['an unknown parameter', () => post(photo, '?topk=3'), 400, 'unknown_parameter', { parameter: 'topk' }],
    ['JSON that is none', () => post('{', '', json), 400, 'invalid_body', {}],
    ['JSON without an image', () => post('{}', '', json), 400, 'missing_image', {}],
    ['base64 that is none', () => post('{"image":"%"}', '', json), 400, 'invalid_body', {}],
    ['a form without an image', () => post(new FormData()), 400, 'missing_image', {}],
  ];

  for (const [what, send, status, code, details] of cases) {
    it(`${what}: ${status} ${code}, and the next request is answered`, async () => {
      const response = await send();
      expect(await problem(response)).toMatchObject({ status, code, ...details });
      await classify(photo);
    });
  }
});

describe('other routes', () => {
  it('GET /v1/models lists what is published and says what is loaded', async () => {
    await classify(photo);
    const response = await SELF.fetch('http://localhost/v1/models');
    expect(await response.json()).toMatchObject({
      default: { name: manifest.name, version: 'latest' },
      models: [{ name: manifest.name, version: manifest.version, aliases: ['latest'], loaded: true }],
    });
  });

  it('GET /readyz: 503 with Retry-After until the default model is loaded and has run, then 200', async () => {
    const first = await SELF.fetch('http://localhost/readyz');
    expect(first.status).toBe(503);
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problem(first)).toMatchObject({ code: 'not_ready' });
    await expect.poll(async () => (await SELF.fetch('http://localhost/readyz')).status, { timeout: 10_000 }).toBe(200);
  });

  it('answers 404 and 405 as problems; 405 names what is allowed', async () => {
    expect(await problem(await SELF.fetch('http://localhost/nothing'))).toMatchObject({ code: 'not_found' });
    const wrongMethod = await SELF.fetch(URL_CLASSIFY);
    expect(wrongMethod.headers.get('allow')).toBe('OPTIONS, POST');
    expect(await problem(wrongMethod)).toMatchObject({ status: 405, code: 'method_not_allowed' });
  });
});

it('keeps the bucket as it is', async () => {
  const before = (await env.MODELS.list()).objects.map(({ key }) => key);
  await classify(photo);
  expect((await env.MODELS.list()).objects.map(({ key }) => key)).toEqual(before);
});

/** CRC-32 of PNG (ISO 3309). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
