import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey } from '../../worker/auth/api-key.ts';
import { putApiKey } from '../../worker/auth/key-store.ts';
import type { BulkJob } from '../../worker/jobs/bulk-job.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

interface Job {
  id: string;
  state: string;
  counts: { total: number; pending: number; succeeded: number; failed: number; cancelled: number };
  model: { name: string; version: string };
}

interface ResultLine {
  index: number;
  id?: string;
  status: string;
  predictions?: { label: string; score: number; index: number }[];
  engine?: string;
  error?: { code: string; message: string };
}

let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
  await env.UPLOADS.put('incoming/photo.png', photo);
  await env.UPLOADS.put('incoming/broken.png', photo.slice(0, 1000));
});

async function submit(body: BodyInit, headers: Record<string, string> = JSON_TYPE, query = ''): Promise<Job> {
  const response = await SELF.fetch(`http://localhost/v1/jobs${query}`, { method: 'POST', body, headers });
  expect(response.status).toBe(202);
  const job = (await response.json()) as Job;
  expect(response.headers.get('location')).toBe(`/v1/jobs/${job.id}`);
  return job;
}

async function get(id: string): Promise<Job> {
  return (await (await SELF.fetch(`http://localhost/v1/jobs/${id}`)).json()) as Job;
}

async function finished(id: string): Promise<Job> {
  await expect.poll(async () => (await get(id)).state, { timeout: 25_000, interval: 100 }).toBe('completed');
  return get(id);
}

async function results(id: string, query = ''): Promise<{ lines: ResultLine[]; next: string | null }> {
  const response = await SELF.fetch(`http://localhost/v1/jobs/${id}/results${query}`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  return { lines: lines.map((line) => JSON.parse(line) as ResultLine), next: response.headers.get('x-next-cursor') };
}

function stub(id: string): DurableObjectStub<BulkJob> {
  return env.BULK_JOB.get(env.BULK_JOB.idFromName(id));
}

describe('a bulk job', () => {
  it('answers every item once, in order; broken images and bad lines are failed items with their errors', async () => {
    const inputs = [
      { r2: 'incoming/photo.png', id: 'a' },
      { r2: 'incoming/broken.png' },
      'incoming/photo.png',
      { neither: 1 },
      { r2: 'incoming/missing.png' },
      { url: 'https://127.0.0.1/x.png' },
    ];
    const job = await submit(JSON.stringify({ inputs, parameters: { top_k: 2 } }));
    const done = await finished(job.id);
    expect(done.counts).toEqual({ total: 6, pending: 0, succeeded: 2, failed: 4, cancelled: 0 });
    const { lines, next } = await results(job.id);
    expect(next).toBeNull();
    expect(lines.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(lines.map((line) => line.error?.code ?? 'ok')).toEqual([
      'ok',
      'truncated_image',
      'ok',
      'invalid_manifest_line',
      'object_not_found',
      'url_not_allowed',
    ]);
    const direct = await SELF.fetch('http://localhost/v1/classify?top_k=2&exact=false', {
      method: 'POST',
      body: photo,
    });
    const { predictions } = (await direct.json()) as ResultLine;
    expect(lines[0]).toMatchObject({ id: 'a', engine: 'wasm', predictions });
    expect(lines[2]!.predictions).toEqual(predictions);
  });

  it('takes NDJSON and CSV bodies, an R2 manifest and an R2 prefix', async () => {
    const lines = Array.from({ length: 12 }, (_, i) => JSON.stringify({ r2: 'incoming/photo.png', id: `n${i}` }));
    const ndjson = await submit(lines.join('\n'), { 'content-type': 'application/x-ndjson' }, '?top_k=1');
    const csv = await submit('r2,id\nincoming/photo.png,"x,1"\n', { 'content-type': 'text/csv' });
    await env.UPLOADS.put('incoming/list.ndjson', '"incoming/photo.png"\n\n"incoming/photo.png"\n');
    const manifest = await submit(JSON.stringify({ manifest: { r2: 'incoming/list.ndjson' } }));
    await env.UPLOADS.put('incoming/many/1.png', photo);
    await env.UPLOADS.put('incoming/many/2.png', photo);
    const prefix = await submit(JSON.stringify({ prefix: { r2: 'incoming/many/' }, task: 'embed' }));
    expect((await finished(ndjson.id)).counts).toMatchObject({ total: 12, succeeded: 12 });
    expect((await finished(csv.id)).counts).toMatchObject({ total: 1, succeeded: 1 });
    expect((await results(csv.id)).lines[0]).toMatchObject({ id: 'x,1' });
    expect((await finished(manifest.id)).counts).toMatchObject({ total: 2, succeeded: 2 });
    expect((await finished(prefix.id)).counts).toMatchObject({ total: 2, succeeded: 2 });
    expect((await results(prefix.id)).lines[0]).toMatchObject({ embedding: expect.any(String) });
  });

  it('pages through results with a cursor, each line once', async () => {
    const inputs = Array.from({ length: 20 }, () => 'incoming/photo.png');
    const job = await submit(JSON.stringify({ inputs, parameters: { top_k: 1 } }));
    await finished(job.id);
    const seen: number[] = [];
    let cursor: string | null = '0-0';
    while (cursor !== null) {
      const page: { lines: ResultLine[]; next: string | null } = await results(job.id, `?limit=7&cursor=${cursor}`);
      seen.push(...page.lines.map(({ index }) => index));
      cursor = page.next;
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it('reported twice changes nothing', async () => {
    const job = await submit(JSON.stringify({ inputs: ['incoming/photo.png'] }));
    const { counts } = await finished(job.id);
    const before = (await results(job.id)).lines;
    await stub(job.id).report(0, [{ index: 0, status: 'failed', error: { code: 'x', message: 'x' } }]);
    expect((await get(job.id)).counts).toEqual(counts);
    expect((await results(job.id)).lines).toEqual(before);
  });

  it('retries the failed items only, and replaces their lines', async () => {
    const job = await submit(JSON.stringify({ inputs: ['incoming/photo.png', 'incoming/late.png'] }));
    expect((await finished(job.id)).counts).toMatchObject({ succeeded: 1, failed: 1 });
    const [first] = (await results(job.id)).lines;
    await env.UPLOADS.put('incoming/late.png', photo);
    const retry = await SELF.fetch(`http://localhost/v1/jobs/${job.id}/retry`, { method: 'POST' });
    expect(await retry.json()).toMatchObject({ retried: 1, state: 'running' });
    const list = (await (await SELF.fetch('http://localhost/v1/jobs')).json()) as {
      jobs: { id: string; state: string }[];
    };
    expect(['running', (await get(job.id)).state]).toContain(list.jobs.find(({ id }) => id === job.id)?.state);
    expect((await finished(job.id)).counts).toMatchObject({ total: 2, succeeded: 2, failed: 0 });
    const { lines } = await results(job.id);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toEqual(first);
  });

  it('with the same Idempotency-Key is the same job; another request with it is refused', async () => {
    const headers = { ...JSON_TYPE, 'idempotency-key': 'k1' };
    const body = JSON.stringify({ inputs: ['incoming/photo.png'] });
    const first = await submit(body, headers);
    expect((await submit(body, headers)).id).toBe(first.id);
    const other = await SELF.fetch('http://localhost/v1/jobs', {
      method: 'POST',
      headers,
      body: JSON.stringify({ inputs: ['incoming/broken.png'] }),
    });
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({ code: 'idempotency_conflict' });
  });

  it('that is cancelled stays so: its pending items are cancelled, late reports change nothing', async () => {
    const inputs = Array.from({ length: 600 }, () => 'incoming/photo.png');
    const job = await submit(JSON.stringify({ inputs, parameters: { top_k: 1 } }));
    const response = await SELF.fetch(`http://localhost/v1/jobs/${job.id}`, { method: 'DELETE' });
    const cancelled = (await response.json()) as Job;
    expect(cancelled.state).toBe('cancelled');
    expect(cancelled.counts.pending).toBe(0);
    const { total, succeeded, failed, cancelled: given } = cancelled.counts;
    expect(succeeded + failed + given).toBe(total);
    expect(await stub(job.id).report(0, [{ index: 0, status: 'succeeded', line: '{"index":0}' }])).toBe(false);
    expect((await get(job.id)).counts).toEqual(cancelled.counts);
    expect((await SELF.fetch(`http://localhost/v1/jobs/${job.id}/retry`, { method: 'POST' })).status).toBe(409);
  });

  it('streams progress until the end', async () => {
    const job = await submit(JSON.stringify({ inputs: ['incoming/photo.png'] }));
    const text = await (await SELF.fetch(`http://localhost/v1/jobs/${job.id}/events`)).text();
    expect(text).toMatch(/^event: progress\ndata: \{"id":"job_/);
    expect(text).toMatch(/event: end\ndata: completed\n\n$/);
  });

  it('is listed, newest first, with a cursor', async () => {
    const page = (await (await SELF.fetch('http://localhost/v1/jobs?limit=2')).json()) as {
      jobs: { id: string; created_at: string }[];
      next_cursor: string;
    };
    expect(page.jobs).toHaveLength(2);
    const rest = (await (
      await SELF.fetch(`http://localhost/v1/jobs?limit=100&cursor=${page.next_cursor}`)
    ).json()) as typeof page;
    const all = [...page.jobs, ...rest.jobs];
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.map((job) => job.created_at)).toEqual(
      all
        .map((job) => job.created_at)
        .sort()
        .reverse(),
    );
  });
});

describe('bad jobs', () => {
  const cases: [string, unknown, number, string][] = [
    ['no inputs', {}, 400, 'invalid_body'],
    ['two kinds of inputs', { inputs: ['a'], prefix: { r2: 'incoming/' } }, 400, 'invalid_body'],
    ['a bucket that is not read from', { prefix: { r2: { bucket: 'x', key: 'incoming/' } } }, 400, 'invalid_body'],
    ['a prefix that is not read from', { prefix: { r2: 'secret/' } }, 400, 'invalid_body'],
    ['a manifest that is not there', { manifest: { r2: 'incoming/none' } }, 400, 'invalid_body'],
    ['an unknown member', { inputs: ['a'], colour: 1 }, 400, 'unknown_parameter'],
    ['an unknown parameter', { inputs: ['a'], parameters: { topk: 1 } }, 400, 'unknown_parameter'],
    ['an unknown model', { inputs: ['a'], model: 'nobody' }, 404, 'model_not_found'],
    [
      'a callback without a receiver',
      { inputs: ['a'], callback_url: 'https://hooks.nobody.dev/x' },
      400,
      'invalid_parameter',
    ],
  ];
  for (const [what, body, status, code] of cases) {
    it(`${what}: ${status} ${code}`, async () => {
      const response = await SELF.fetch('http://localhost/v1/jobs', {
        method: 'POST',
        headers: JSON_TYPE,
        body: JSON.stringify(body),
      });
      expect(await response.json()).toMatchObject({ status, code });
    });
  }

  it('a job that is not there: 404 job_not_found, for every verb', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/results'],
      ['GET', '/events'],
      ['POST', '/retry'],
    ]) {
      for (const id of ['nonsense', `job_${'0'.repeat(32)}`]) {
        const response = await SELF.fetch(`http://localhost/v1/jobs/${id}${path}`, { method: method! });
        expect(await response.json()).toMatchObject({ status: 404, code: 'job_not_found' });
      }
    }
  });
});

describe("another key's job", () => {
  async function createKey(fill: number): Promise<string> {
    const key = { name: 't', scopes: ['jobs'], rateTier: 'standard', createdAt: '2026-01-01T00:00:00Z' } as const;
    const random = new Uint8Array(KEY_RANDOM_BYTES).fill(fill);
    const { token, record } = await mintApiKey({ ...key, expiresAt: null }, random);
    await putApiKey(new R2ObjectStore(env.MODELS), record);
    return token;
  }

  it('is not there: not its state, its results, its events, and it cannot be cancelled or retried', async () => {
    const [owner, other] = [await createKey(1), await createKey(2)];
    const call = (token: string, method: string, path: string, body?: string): Promise<Response> =>
      SELF.fetch(`https://bit-edge.example.com/v1/jobs${path}`, {
        method,
        headers: { ...JSON_TYPE, authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { body }),
      });
    const created = await call(owner, 'POST', '', JSON.stringify({ inputs: ['incoming/photo.png'] }));
    const { id } = (await created.json()) as Job;
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/results'],
      ['GET', '/events'],
      ['POST', '/retry'],
      ['DELETE', ''],
    ]) {
      const response = await call(other, method!, `/${id}${path}`);
      expect(await response.json()).toMatchObject({ status: 404, code: 'job_not_found' });
    }
    expect((await call(owner, 'GET', `/${id}`)).status).toBe(200);
    await env.MODELS.delete((await env.MODELS.list({ prefix: 'auth/' })).objects.map(({ key }) => key));
  });
});
