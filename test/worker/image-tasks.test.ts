import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

let photo: Uint8Array<ArrayBuffer>;
let photoBase64: string;

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
  let binary = '';
  for (const byte of photo) binary += String.fromCharCode(byte);
  photoBase64 = btoa(binary);
});

function post(path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return SELF.fetch(`http://localhost${path}`, { method: 'POST', body, headers });
}

async function answer<T>(path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<T> {
  const response = await post(path, body, headers);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

interface Embedding {
  embedding: number[] | string;
  dimensions: number;
}

describe('POST /v1/embed', () => {
  it('gives the pooled features as numbers, or the same as base64 of little-endian float32', async () => {
    const floats = await answer<Embedding>('/v1/embed', photo);
    const encoded = await answer<Embedding>('/v1/embed?encoding=base64', photo);
    expect(floats.embedding).toHaveLength(floats.dimensions);
    const bytes = Uint8Array.from(atob(encoded.embedding as string), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const decoded = Array.from({ length: encoded.dimensions }, (_, i) => view.getFloat32(4 * i, true));
    expect(decoded).toEqual(floats.embedding);
  });

  it('with normalize=true has length 1 and the same direction', async () => {
    const raw = (await answer<Embedding>('/v1/embed', photo)).embedding as number[];
    const unit = (await answer<Embedding>('/v1/embed?normalize=true', photo)).embedding as number[];
    const norm = Math.hypot(...raw);
    expect(Math.hypot(...unit)).toBeCloseTo(1, 5);
    for (const [i, value] of unit.entries()) expect(value).toBeCloseTo(raw[i]! / norm, 6);
  });
});

describe('POST /v1/features', () => {
  it('refuses an output that the version does not give, with the ones that it does', async () => {
    const response = await post('/v1/features?outputs=stage9', photo);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      code: 'unsupported_output',
      outputs: expect.arrayContaining(['logits', 'pooler_output']),
    });
  });

  it('gives any output of the graph with its shape', async () => {
    const body = JSON.stringify({ image: photoBase64, outputs: ['pooler_output'], encoding: 'float' });
    const { features } = await answer<{ features: { name: string; shape: number[]; data: number[] }[] }>(
      '/v1/features',
      body,
      JSON_TYPE,
    );
    const [pooled] = features;
    expect(pooled).toMatchObject({ name: 'pooler_output', shape: [expect.any(Number), 1, 1] });
    expect(pooled!.data).toHaveLength(pooled!.shape[0]!);
  });
});

describe('several images in one request', () => {
  interface Results {
    results: { predictions?: { label: string }[]; error?: { code: string; status: number } }[];
  }

  it('are answered in order, and a bad one does not spoil the others', async () => {
    const body = JSON.stringify({ images: [photoBase64, btoa('no image at all'), photoBase64, '%', 7], top_k: 1 });
    const { results } = await answer<Results>('/v1/classify', body, JSON_TYPE);
    expect(results.map((each) => each.error?.code ?? 'ok')).toEqual([
      'ok',
      'unrecognized_image',
      'ok',
      'invalid_body',
      'invalid_body',
    ]);
    expect(results[2]!.predictions).toEqual(results[0]!.predictions);
  });

  it('come as parts of a form too; an empty part is an error of its own', async () => {
    const form = new FormData();
    form.append('image', new File([photo], 'a.png'));
    form.append('image', new File([], 'b.png'));
    form.append('image', new File([photo], 'c.png'));
    const { results } = await answer<Results>('/v1/classify', form);
    expect(results.map((each) => each.error?.code ?? 'ok')).toEqual(['ok', 'empty_body', 'ok']);
  });

  it('beyond the limit are refused with both numbers, before any is decoded', async () => {
    const body = JSON.stringify({ images: Array.from({ length: 17 }, () => 'AAAA') });
    const response = await post('/v1/classify', body, JSON_TYPE);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'too_many_images', images: 17, limit: 16 });
  });
});

describe('images that are named', () => {
  it('are read from an allowed bucket and prefix, and from nowhere else', async () => {
    await env.UPLOADS.put('incoming/photo.png', photo);
    await env.MODELS.put('secret.png', photo);
    const named = await answer<{ predictions: unknown }>(
      '/v1/classify',
      JSON.stringify({ image: { r2: 'incoming/photo.png' } }),
      JSON_TYPE,
    );
    const sent = await answer<{ predictions: unknown }>('/v1/classify', photo);
    expect(named.predictions).toEqual(sent.predictions);
    for (const r2 of [{ bucket: 'models', key: 'secret.png' }, 'elsewhere/photo.png', 'incoming/missing.png']) {
      const response = await post('/v1/classify', JSON.stringify({ image: { r2 } }), JSON_TYPE);
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.status).toBeLessThan(500);
    }
  });

  it('by a URL that may not be fetched are refused before any request is made', async () => {
    const response = await post(
      '/v1/classify',
      JSON.stringify({ url: 'https://169.254.169.254/latest/meta-data' }),
      JSON_TYPE,
    );
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'url_not_allowed' });
  });

  it('with an unknown member are refused by its name', async () => {
    const response = await post('/v1/classify', JSON.stringify({ image: { uri: 'x' } }), JSON_TYPE);
    expect(await response.json()).toMatchObject({ code: 'unknown_parameter', parameter: 'image.uri' });
  });
});

describe('POST /v1/class-activation', () => {
  interface Activation {
    label: string;
    index: number;
    logit: number;
    bias: number;
    map: { shape: number[]; data: number[] };
  }

  it('says where the best label is, or the one that is asked for: bias and mean of the map are the logit', async () => {
    const classified = '/v1/classify?function_to_apply=none&top_k=2';
    const { predictions } = await answer<{ predictions: { label: string; index: number; score: number }[] }>(
      classified,
      photo,
    );
    for (const [query, { label, index, score }] of [
      ['', predictions[0]!],
      [`?index=${predictions[1]!.index}`, predictions[1]!],
    ] as const) {
      const activation = await answer<Activation>(`/v1/class-activation${query}`, photo);
      expect(activation).toMatchObject({ label, index });
      expect(activation.logit).toBeCloseTo(score, 5);
      const { shape, data } = activation.map;
      expect(data).toHaveLength(shape[0]! * shape[1]!);
      const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
      expect(Math.abs(mean + activation.bias - score)).toBeLessThan(1e-4);
    }
  });

  it('refuses a label that the model does not have', async () => {
    const response = await post('/v1/class-activation?index=99999', photo);
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'invalid_parameter' }),
    ]);
  });
});
