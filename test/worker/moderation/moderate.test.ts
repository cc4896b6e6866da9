/** `POST /v1/moderate` and the log of decisions, with the real model. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import defaultPolicy from '../../../worker/moderation/policies/default.json' with { type: 'json' };
import { publishPolicy } from '../../../worker/moderation/policy/store.ts';
import type { Decision } from '../../../worker/moderation/verdict-shapes.ts';
import { readFixture, seedDefaultModel } from '../../support/worker/seed.ts';

type Body = Record<string, unknown> & Decision;
let photo: Uint8Array<ArrayBuffer>;
let model: { name: string; version: string };
let best: { label: string; score: number };

beforeAll(async () => {
  const manifest = await seedDefaultModel();
  model = { name: manifest.name, version: manifest.version };
  photo = await readFixture('photo.png');
  const answer = await SELF.fetch('http://localhost/v1/classify?top_k=1', { method: 'POST', body: photo });
  best = ((await answer.json()) as { predictions: [typeof best] }).predictions[0];
  // Blocks what the photo is taken for, so that its verdict is known.
  const policy = {
    schema_version: 1,
    name: 'strict',
    version: '7',
    model: { name: manifest.name },
    categories: [
      { name: 'animals/photo', labels: [best.label], thresholds: { review: 0.001, block: best.score / 2 } },
      { name: 'swimwear', labels: ['bikini, two-piece'], thresholds: { block: 0.9 } },
    ],
  };
  await publishPolicy(new R2ObjectStore(env.MODELS), JSON.stringify(policy), 'latest', '2026-01-01T00:00:00Z');
});

async function post(
  body: BodyInit,
  query = '',
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Body }> {
  const response = await SELF.fetch(`http://localhost/v1/moderate${query}`, { method: 'POST', body, headers });
  return { status: response.status, body: await response.json() };
}

async function decisions(query: string): Promise<{ decisions: Body[]; next_cursor: string | null }> {
  const response = await SELF.fetch(`http://localhost/v1/decisions${query}`);
  expect(response.status).toBe(200);
  return response.json();
}

const sha256 = async (bytes: BufferSource) =>
  [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');

describe('POST /v1/moderate', () => {
  it('answers with the verdict, and with all that explains it', async () => {
    const { status, body } = await post(photo, '?policy=strict');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      verdict: 'block',
      reason: 'animals/photo',
      policy: { name: 'strict', version: '7' },
      model,
      image_sha256: await sha256(photo),
      categories: [
        { name: 'animals/photo', threshold: best.score / 2, action: 'block', labels: [{ label: best.label }] },
        { name: 'swimwear', threshold: 0.9, action: 'allow' },
      ],
    });
    expect(body.categories[0]!.score).toBeCloseTo(best.score, 5);
  });

  it('uses the policy that ships where none is named and none is published', async () => {
    const { body } = await post(photo);
    expect(body).toMatchObject({ verdict: 'allow', reason: null, policy: { name: 'default', version: '1' } });
    expect(body.categories.map(({ name }) => name)).toEqual(defaultPolicy.categories.map(({ name }) => name));
  });

  it('answers in the shape of Rekognition and of OpenAI', async () => {
    const rekognition = await post(photo, '?policy=strict&format=rekognition');
    expect(rekognition.body).toMatchObject({
      ModerationLabels: [
        { Name: 'animals/photo', ParentName: '', TaxonomyLevel: 1 },
        { Name: best.label, ParentName: 'animals/photo', TaxonomyLevel: 2 },
      ],
      ModerationModelVersion: `${model.name}@${model.version}+strict@7`,
    });
    const openai = await post(photo, '?policy=strict@7&format=openai');
    expect(openai.body).toMatchObject({
      results: [{ flagged: true, categories: { 'animals/photo': true, swimwear: false } }],
    });
  });

  it('reads an image from R2 below the configured prefixes, and from a URL that is allowed', async () => {
    await env.UPLOADS.put('incoming/photo.png', photo);
    await env.UPLOADS.put('private/photo.png', photo);
    const json = { 'content-type': 'application/json' };
    const fromR2 = await post(JSON.stringify({ r2: 'incoming/photo.png', policy: 'strict' }), '', json);
    expect(fromR2.body).toMatchObject({ verdict: 'block', image_sha256: await sha256(photo) });
    expect((await post(JSON.stringify({ r2: 'private/photo.png' }), '', json)).body).toMatchObject({
      code: 'invalid_body',
    });
    expect((await post(JSON.stringify({ r2: 'incoming/none.png' }), '', json)).body).toMatchObject({
      status: 404,
      code: 'object_not_found',
    });

    const fetchImage = vi
      .spyOn(globalThis, 'fetch')
      .mockImplementation(async () => new Response(photo, { headers: { 'content-type': 'image/png' } }));
    const fromUrl = await post(JSON.stringify({ url: 'https://images.example.com/a.png', policy: 'strict' }), '', json);
    expect(fromUrl.body).toMatchObject({ verdict: 'block' });
    expect(fetchImage).toHaveBeenCalledTimes(1);
    expect((await post(JSON.stringify({ url: 'https://169.254.169.254/' }), '', json)).body).toMatchObject({
      status: 400,
      code: 'url_not_allowed',
      reason: 'cloud_metadata',
    });
    expect(fetchImage).toHaveBeenCalledTimes(1);
    vi.restoreAllMocks();
  });

  it.each([
    ['?policy=nobody', 404, 'policy_not_found'],
    ['?policy=Bad%20Name', 404, 'policy_not_found'],
    ['?format=xml', 400, 'invalid_parameter'],
    ['?min_confidence=101', 400, 'invalid_parameter'],
    ['?polizy=strict', 400, 'unknown_parameter'],
  ])('refuses %s: %i %s', async (query, status, code) => {
    expect(await post(photo, query)).toMatchObject({ status, body: { code } });
  });

  it('refuses what is no image, and JSON that names two', async () => {
    expect(await post(new Uint8Array([1, 2, 3, 4]))).toMatchObject({
      status: 415,
      body: { code: 'unrecognized_image' },
    });
    const both = JSON.stringify({ url: 'https://images.example.com/', r2: 'incoming/photo.png' });
    expect(await post(both, '', { 'content-type': 'application/json' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_body' },
    });
  });

  it('takes base64 in JSON, as /v1/classify does', async () => {
    const image = btoa(String.fromCharCode(...photo.subarray(0, photo.length)));
    const { status, body } = await post(JSON.stringify({ image, policy: 'strict' }), '', {
      'content-type': 'application/json',
    });
    expect(status).toBe(200);
    expect(body.image_sha256).toBe(await sha256(photo));
  });
});

describe('GET /v1/decisions', () => {
  it('lists what was decided, newest first, by cursor, without the image', async () => {
    for (const id of ['a', 'b', 'c']) await post(photo, `?policy=strict&id=${id}`);
    const all = await vi.waitUntil(async () => {
      const page = await decisions('?source=api&policy=strict&limit=1000');
      return ['a', 'b', 'c'].every((id) => page.decisions.some(({ item_id }) => item_id === id)) && page;
    });
    const times = all.decisions.map(({ decided_at }) => decided_at);
    expect(times).toEqual([...times].sort().reverse());

    const seen: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof decisions>> = await decisions(
        `?source=api&policy=strict&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      expect(page.decisions.length).toBeLessThanOrEqual(2);
      seen.push(...page.decisions.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(all.decisions.map(({ id }) => id));

    const [one] = (await decisions('?item_id=b&verdict=block')).decisions;
    expect(one).toMatchObject({ item_id: 'b', source: 'api', event_id: null, verdict: 'block' });
    const single = await SELF.fetch(`http://localhost/v1/decisions/${one!.id}`);
    expect(await single.json()).toEqual(one);
    expect((await decisions('?item_id=b&verdict=allow')).decisions).toEqual([]);
    expect((await decisions(`?image_sha256=${'0'.repeat(64)}`)).decisions).toEqual([]);
    expect((await decisions('?until=2020-01-01T00:00:00Z')).decisions).toEqual([]);
  });

  it.each([
    ['?source=nobody', 400, 'invalid_parameter'],
    ['?cursor=zzz', 400, 'invalid_parameter'],
    ['?limit=0', 400, 'invalid_parameter'],
    ['?limit=1001', 400, 'invalid_parameter'],
    ['?since=yesterday', 400, 'invalid_parameter'],
    ['?colour=red', 400, 'unknown_parameter'],
    ['/dec_api_00000000000000000000000000000000', 404, 'not_found'],
    ['/dec_nobody_00000000000000000000000000000000', 404, 'not_found'],
    ['/x', 404, 'not_found'],
  ])('refuses %s: %i %s', async (query, status, code) => {
    const response = await SELF.fetch(`http://localhost/v1/decisions${query}`);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
  });
});
