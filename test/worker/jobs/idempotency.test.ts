/** One Idempotency-Key, one job: whatever is sent with it, whenever, and whatever is killed in between. */
import { abortAllDurableObjects, env, evictDurableObject, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import type { JobDirectory } from '../../../worker/jobs/job-directory.ts';
import { readFixture, seedDefaultModel } from '../../support/worker/seed.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const NDJSON_TYPE = { 'content-type': 'application/x-ndjson' };

beforeAll(async () => {
  await seedDefaultModel();
  await env.UPLOADS.put('incoming/photo.png', await readFixture('photo.png'));
});

interface Answer {
  status: number;
  id?: string;
  code?: string;
  replayed: boolean;
  retryAfter: string | null;
}

async function send(key: string, body: BodyInit, headers: Record<string, string>, query = ''): Promise<Answer> {
  const response = await SELF.fetch(`http://localhost/v1/jobs${query}`, {
    method: 'POST',
    body,
    headers: { ...headers, 'idempotency-key': key },
  });
  const answer = (await response.json()) as { id?: string; code?: string };
  return {
    ...(answer.id === undefined ? {} : { id: answer.id }),
    ...(answer.code === undefined ? {} : { code: answer.code }),
    status: response.status,
    replayed: response.headers.get('idempotency-replayed') === 'true',
    retryAfter: response.headers.get('retry-after'),
  };
}

async function jobCount(): Promise<number> {
  const list = (await (await SELF.fetch('http://localhost/v1/jobs?limit=1000')).json()) as { jobs: unknown[] };
  return list.jobs.length;
}

function directory(): DurableObjectStub<JobDirectory> {
  return env.JOB_DIRECTORY.get(env.JOB_DIRECTORY.idFromName('anonymous'));
}

/** A manifest whose upload begins, and goes on when told. */
function slowManifest(line: string): { body: ReadableStream<Uint8Array>; finish(): void } {
  const encoder = new TextEncoder();
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (begun) {
        await promise;
        return controller.close();
      }
      begun = true;
      controller.enqueue(encoder.encode(line));
    },
  });
  return { body, finish: resolve };
}

const line = (id: string): string => `${JSON.stringify({ r2: 'incoming/photo.png', id })}\n`;

describe('another request with a key that is used', () => {
  const inputs = (id: string) => JSON.stringify({ inputs: [{ r2: 'incoming/photo.png', id }] });
  const cases: [string, [BodyInit, Record<string, string>, string?], [BodyInit, Record<string, string>, string?]][] = [
    ['a manifest of equal length', [line('a'), NDJSON_TYPE], [line('b'), NDJSON_TYPE]],
    [
      'a manifest with another task',
      [line('a'), NDJSON_TYPE, '?task=classify'],
      [line('a'), NDJSON_TYPE, '?task=embed'],
    ],
    ['a manifest of another format', [line('a'), NDJSON_TYPE], [line('a'), { 'content-type': 'text/csv' }]],
    ['another top_k', [line('a'), NDJSON_TYPE, '?top_k=1'], [line('a'), NDJSON_TYPE, '?top_k=2']],
    [
      'JSON with another task in the query',
      [inputs('a'), JSON_TYPE, '?task=classify'],
      [inputs('a'), JSON_TYPE, '?task=embed'],
    ],
    ['JSON with other inputs', [inputs('a'), JSON_TYPE], [inputs('b'), JSON_TYPE]],
    [
      'JSON with another prefix',
      ['{"prefix":{"r2":"incoming/"}}', JSON_TYPE],
      ['{"prefix":{"r2":"incoming/p"}}', JSON_TYPE],
    ],
  ];

  it.each(cases)('%s: 409, and no job', async (what, first, second) => {
    const key = `other-${what.replaceAll(' ', '-')}`;
    expect(await send(key, ...first)).toMatchObject({ status: 202, replayed: false });
    const before = await jobCount();
    expect(await send(key, ...second)).toMatchObject({ status: 409, code: 'idempotency_conflict' });
    expect(await jobCount()).toBe(before);
  });
});

describe('the same request again', () => {
  it.each([
    ['a manifest', line('a'), line('a'), NDJSON_TYPE],
    [
      'JSON that is written otherwise',
      '{"inputs":["incoming/photo.png"],"task":"embed"}',
      '{ "task":"embed", "inputs":["incoming/photo.png"] }',
      JSON_TYPE,
    ],
  ])('%s: the same job', async (what, body, again, headers) => {
    const key = `same-${what.replaceAll(' ', '-')}`;
    const first = await send(key, body, headers);
    expect(await send(key, again, headers)).toEqual({ ...first, replayed: true });
  });

  it('at the same time: one job', async () => {
    const before = await jobCount();
    const answers = await Promise.all(Array.from({ length: 8 }, () => send('race', line('a'), NDJSON_TYPE)));
    const accepted = answers.filter(({ status }) => status === 202);
    expect(new Set(accepted.map(({ id }) => id)).size).toBe(1);
    for (const { status, code } of answers)
      expect([status, code]).toEqual(status === 202 ? [202, undefined] : [409, 'idempotency_in_progress']);
    expect(await jobCount()).toBe(before + 1);
  });

  it('while the first is being received: 409 with Retry-After; then the same job', async () => {
    const { body, finish } = slowManifest(line('a'));
    const first = send('running', body, NDJSON_TYPE);
    await expect.poll(async () => (await send('running', line('a'), NDJSON_TYPE)).status).toBe(409);
    const meanwhile = await send('running', line('a'), NDJSON_TYPE);
    expect(meanwhile).toMatchObject({ status: 409, code: 'idempotency_in_progress', retryAfter: '5' });
    finish();
    const { id } = await first;
    expect(await send('running', line('a'), NDJSON_TYPE)).toMatchObject({ status: 202, id, replayed: true });
  });

  it('after a refusal: a job, as if the key were new', async () => {
    expect(await send('refused', '', NDJSON_TYPE)).toMatchObject({ status: 400, code: 'empty_body' });
    expect(await send('refused', line('a'), NDJSON_TYPE, '?model=nobody')).toMatchObject({ status: 404 });
    expect(await send('refused', line('a'), NDJSON_TYPE)).toMatchObject({ status: 202, replayed: false });
  });
});

describe('a request whose worker was killed', () => {
  const abandoned = `job_${'a'.repeat(32)}`;

  it('while its inputs were being stored: the next one makes the job, and removes what was stored', async () => {
    await directory().reserve('killed', abandoned);
    await env.JOBS.put(`jobs/${abandoned}/manifest`, line('a'));
    const key = (await env.JOBS.list({ prefix: `jobs/${abandoned}` })).objects.map((object) => object.key);
    await evictDurableObject(directory());
    const answer = await send('killed', line('b'), NDJSON_TYPE);
    expect(answer).toMatchObject({ status: 202, replayed: false });
    expect((await SELF.fetch(`http://localhost/v1/jobs/${answer.id}`)).status).toBe(200);
    expect(key).toHaveLength(1);
    expect(await env.JOBS.head(key[0]!)).toBeNull();
  });

  it('and that comes back to a key that another request took over: it is not made, and what it stored is removed', async () => {
    const { body, finish } = slowManifest(line('a'));
    const first = send('taken', body, NDJSON_TYPE);
    await expect.poll(async () => (await send('taken', line('a'), NDJSON_TYPE)).code).toBe('idempotency_in_progress');
    await evictDurableObject(directory());
    const second = await send('taken', line('a'), NDJSON_TYPE);
    expect(second).toMatchObject({ status: 202, replayed: false });
    const before = await jobCount();
    finish();
    expect(await first).toMatchObject({ status: 409, code: 'idempotency_in_progress' });
    expect(await jobCount()).toBe(before);
    expect(await send('taken', line('a'), NDJSON_TYPE)).toMatchObject({ id: second.id, replayed: true });
  });

  it('when its inputs were stored and its job was not there yet: the next one makes that job', async () => {
    const first = await send('stored', line('a'), NDJSON_TYPE);
    const manifest = await env.JOBS.get(`jobs/${first.id}/manifest`);
    expect(manifest).not.toBeNull();
    const id = `job_${'b'.repeat(32)}`;
    await env.JOBS.put(`jobs/${id}/manifest`, line('a'));
    const stub = directory();
    const [made] = await Promise.all([stub.reserve('stored', id), stub.reserve('unmade', id)]);
    if (made.kind !== 'made') throw new Error(`the key is ${made.kind}`);
    const specification = {
      ...(await status(first.id!)).specification,
      id,
      source: { kind: 'stored', key: `jobs/${id}/manifest`, format: 'ndjson' } as const,
    };
    expect(await stub.commit('unmade', made.fingerprint, specification)).toBe(true);
    await abortAllDurableObjects();
    expect(await send('unmade', line('a'), NDJSON_TYPE)).toMatchObject({ status: 202, id, replayed: true });
    await expect.poll(async () => (await status(id)).counts.succeeded, { timeout: 20_000 }).toBe(1);
    const listed = (await (await SELF.fetch('http://localhost/v1/jobs?limit=1000')).json()) as {
      jobs: { id: string }[];
    };
    expect(listed.jobs.filter((job) => job.id === id)).toHaveLength(1);
  });
});

async function status(id: string) {
  const answer = await env.BULK_JOB.get(env.BULK_JOB.idFromName(id)).status();
  if ('refused' in answer) throw new Error(answer.refused.message);
  return answer;
}
