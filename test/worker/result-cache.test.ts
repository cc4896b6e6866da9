import { SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
});

function post(query: string, headers: Record<string, string> = {}): Promise<Response> {
  return SELF.fetch(`http://localhost/v1/classify${query}`, { method: 'POST', body: photo, headers });
}

async function cacheState(query: string, headers: Record<string, string> = {}): Promise<string | null> {
  const response = await post(query, headers);
  expect(response.status).toBe(200);
  await response.arrayBuffer();
  return response.headers.get('x-cache');
}

describe('the result cache', () => {
  it('answers the same bytes, version and parameters without inference; the answer is the same, without timing', async () => {
    const first = await post('?top_k=3');
    expect(first.headers.get('x-cache')).toBe('miss');
    const computed = (await first.json()) as { predictions: unknown; timing: object };
    await expect.poll(() => cacheState('?top_k=3')).toBe('hit');
    const hit = await post('?top_k=3');
    expect(hit.headers.get('server-timing')).toBeNull();
    expect(await hit.json()).toEqual({ ...computed, timing: {} });
  });

  it('keeps answers apart by parameter', async () => {
    expect(await cacheState('?top_k=4')).toBe('miss');
    expect(await cacheState('?top_k=4&function_to_apply=sigmoid')).toBe('miss');
    await expect.poll(() => cacheState('?top_k=4')).toBe('hit');
  });

  it('is passed by with Cache-Control: no-cache, which refreshes it, and no-store, which leaves no trace', async () => {
    expect(await cacheState('?top_k=6', { 'cache-control': 'no-store' })).toBe('bypass');
    expect(await cacheState('?top_k=6', { 'cache-control': 'no-cache' })).toBe('bypass');
    await expect.poll(() => cacheState('?top_k=6')).toBe('hit');
    expect(await cacheState('?top_k=6', { 'cache-control': 'no-cache' })).toBe('bypass');
  });
});

describe('GET /metrics', () => {
  it('counts requests by route, status and code, and times stages, in Prometheus text', async () => {
    await cacheState('?top_k=7', { 'cache-control': 'no-store' });
    await (await post('?top_k=0')).arrayBuffer();
    const response = await SELF.fetch('http://localhost/metrics');
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    expect(text).toMatch(
      /^bit_edge_requests_total\{method="POST",route="\/v1\/classify",status="400",code="invalid_parameter"\} [1-9]/m,
    );
    expect(text).toMatch(/^bit_edge_stage_seconds_bucket\{stage="inference",le="\+Inf"\} [1-9]/m);
    expect(text).toMatch(/^bit_edge_wasm_heap_bytes [1-9]\d{6,}$/m);
    expect(text).toMatch(/^# TYPE bit_edge_stage_seconds histogram$/m);
  });
});
