/** What a job's alarm does: chunks that the queue lost, dead letters, the end of its time. */
import { env, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { type BulkJob, jobPrefix } from '../../../worker/jobs/bulk-job.ts';
import { ChunkStore } from '../../../worker/jobs/chunk-store.ts';
import { consumeDeadJobs } from '../../../worker/jobs/consumer.ts';
import type { JobSpecification } from '../../../worker/jobs/records.ts';

function newId(): string {
  return `job_${crypto.randomUUID().replaceAll('-', '')}`;
}

/** A job whose only chunk was sent at `sentAtMs` and never came back. */
async function jobInFlight(id: string, sentAtMs: number, finishedAtMs: number | null = null) {
  const specification: JobSpecification = {
    id,
    task: 'classify',
    model: { name: 'nobody', version: 'none' },
    parameters: {},
    source: { kind: 'stored', key: 'none', format: 'ndjson' },
    chunkItems: 8,
    callbackUrl: null,
    createdAtMs: 0,
    retentionMs: 1000,
  };
  const stub: DurableObjectStub<BulkJob> = env.BULK_JOB.get(env.BULK_JOB.idFromName(id));
  await runInDurableObject(stub, async (_, { storage }) => {
    const state = finishedAtMs === null ? 'running' : 'completed';
    const directory = 'test';
    await storage.put('header', {
      specification,
      state,
      ingest: null,
      rest: [],
      ingested: true,
      finishedAtMs,
      directory,
    });
    const chunks = new ChunkStore(storage.sql);
    chunks.append([{ input: { r2: 'incoming/none.png' } }]);
    chunks.markDispatched([0], sentAtMs);
    if (finishedAtMs !== null) chunks.report(0, [{ index: 0, status: 'succeeded', line: '{"index":0}' }]);
    await storage.setAlarm(Date.now() + 3_600_000);
  });
  return stub;
}

function timesSent(stub: DurableObjectStub<BulkJob>): Promise<number> {
  return runInDurableObject(stub, (_, { storage }) => {
    return storage.sql.exec<{ dispatches: number }>('SELECT dispatches FROM chunks').one().dispatches;
  });
}

describe('a chunk in flight', () => {
  it('is sent again after its silence', async () => {
    const stub = await jobInFlight(newId(), Date.now() - 86_400_000);
    await runDurableObjectAlarm(stub);
    expect(await timesSent(stub)).toBe(2);
  });

  it('is left alone while it may still be worked on', async () => {
    const stub = await jobInFlight(newId(), Date.now());
    await runDurableObjectAlarm(stub);
    expect(await timesSent(stub)).toBe(1);
  });

  it('that became a dead letter is sent again, and the letter is taken', async () => {
    const id = newId();
    const stub = await jobInFlight(id, Date.now());
    const fates: string[] = [];
    const message = {
      id: 'm',
      timestamp: new Date(),
      attempts: 20,
      body: { v: 1, job: id, chunk: 0 },
      ack: () => void fates.push('ack'),
      retry: () => void fates.push('retry'),
    };
    await consumeDeadJobs({ messages: [message] }, { jobs: env.BULK_JOB });
    expect(fates).toEqual(['ack']);
    await expect.poll(() => timesSent(stub), { timeout: 10_000 }).toBe(2);
  });
});

it('a job whose time is over is removed with its objects', async () => {
  const id = newId();
  const stub = await jobInFlight(id, 0, Date.now() - 1000);
  const key = `${jobPrefix(id)}results/0`;
  await env.JOBS.put(key, '{}');
  await env.JOBS.put('jobs/another/results/0', '{}');
  expect(await stub.status()).toMatchObject({ state: 'completed' });
  await runDurableObjectAlarm(stub);
  expect(await stub.status()).toMatchObject({ refused: { code: 'job_not_found' } });
  expect(await env.JOBS.head(key)).toBeNull();
  expect(await env.JOBS.head('jobs/another/results/0')).not.toBeNull();
});

it('a job whose time is not over stays', async () => {
  const stub = await jobInFlight(newId(), 0, Date.now() + 60_000);
  await runDurableObjectAlarm(stub);
  expect(await stub.status()).toMatchObject({ state: 'completed' });
});

it('writes every finished chunk to R2 in one turn, one part each', async () => {
  const id = newId();
  const stub = await jobInFlight(id, Date.now());
  await runInDurableObject(stub, (_, { storage }) => {
    const chunks = new ChunkStore(storage.sql);
    for (let chunk = 1; chunk <= 20; chunk++) {
      chunks.append([{ input: { r2: `incoming/${chunk}.png` } }]);
      chunks.report(chunk, [{ index: chunk, status: 'succeeded', line: `{"index":${chunk}}` }]);
    }
  });
  await runDurableObjectAlarm(stub);
  const { objects } = await env.JOBS.list({ prefix: `${jobPrefix(id)}results/` });
  const texts = await Promise.all(objects.map(async ({ key }) => (await env.JOBS.get(key))?.text()));
  expect(texts).toEqual(Array.from({ length: 20 }, (_, at) => `{"index":${at + 1}}\n`));
  const { chunks } = await stub.results(0, 100);
  expect(chunks.filter(({ part }) => part !== null)).toHaveLength(20);
});
