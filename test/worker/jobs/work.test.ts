/** GPU workers over HTTP: leases that are stolen, doubled, expired, forged or revoked change nothing about one result per item. */
import { env, runDurableObjectAlarm, runInDurableObject, SELF } from 'cloudflare:test';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey, type Scope } from '../../../worker/auth/api-key.ts';
import { deleteApiKey, putApiKey } from '../../../worker/auth/key-store.ts';
import { ChunkStore } from '../../../worker/jobs/chunk-store.ts';
import { boardOf, MAX_LEASES } from '../../../worker/jobs/work/work-board.ts';
import { readFixture, seedDefaultModel } from '../../support/worker/seed.ts';

const HOST = 'https://bit-edge.example.com';

interface Item {
  index: number;
  path?: string;
  url?: string;
}

interface Lease {
  lease: string;
  attempt: number;
  job: string;
  task: string;
  model: { name: string; version: string };
  parameters: Record<string, unknown>;
  items: Item[];
}

interface Job {
  id: string;
  state: string;
  counts: { total: number; pending: number; succeeded: number; failed: number };
}

let photo: Uint8Array<ArrayBuffer>;
let owner: string;
let worker: Key;
let other: Key;

interface Key {
  readonly token: string;
  readonly id: string;
}

async function createKey(scopes: Scope[]): Promise<Key> {
  const key = { name: 't', scopes, rateTier: 'standard', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
  const { token, record } = await mintApiKey(key, crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES)));
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  return { token, id: record.id };
}

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
  await env.UPLOADS.put('incoming/photo.png', photo);
  owner = (await createKey(['jobs'])).token;
  [worker, other] = await Promise.all([createKey(['work']), createKey(['work'])]);
});

/** Each test has a board of its own: nothing on it, and nobody there. */
beforeEach(async () => {
  await runInDurableObject(boardOf(env.WORK_BOARD), async (_, { storage }) => {
    storage.sql.exec('DELETE FROM entries');
    storage.sql.exec('DELETE FROM workers');
    await storage.deleteAlarm();
  });
});

function post(path: string, body: object, token = worker.token): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return SELF.fetch(`${HOST}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

function get(path: string, token: string): Promise<Response> {
  return SELF.fetch(`${HOST}${path}`, { headers: { authorization: `Bearer ${token}` } });
}

async function lease(token = worker.token, max = 16): Promise<Lease[]> {
  const response = await post('/v1/work/lease', { worker: 'w', max }, token);
  expect(response.status).toBe(200);
  return ((await response.json()) as { leases: Lease[] }).leases;
}

/** A job whose chunks are on the board, because a worker was seen. */
async function offered(inputs: unknown[], body: object = {}): Promise<{ job: Job; held: Lease }> {
  await lease();
  const response = await post('/v1/jobs', { inputs, parameters: { top_k: 1 }, ...body }, owner);
  expect(response.status).toBe(202);
  const job = (await response.json()) as Job;
  const found: Lease[] = [];
  const look = async () => {
    if (found.length === 0) found.push(...(await lease()).filter((each) => each.job === job.id));
    return found.length;
  };
  await expect.poll(look, { timeout: 20_000 }).toBe(1);
  return { job, held: found[0]! };
}

const predictions = (label: string) => ({ predictions: [{ label, score: 0.5, index: 0 }] });

function answers(held: Lease, label: string) {
  return held.items.map(({ index }) => ({ index, status: 'succeeded', answer: predictions(label) }));
}

function report(held: Lease, outcomes: object[], token = worker.token): Promise<Response> {
  return post('/v1/work/report', { worker: 'w', lease: held.lease, outcomes }, token);
}

async function status(job: Job): Promise<Job> {
  return (await (await get(`/v1/jobs/${job.id}`, owner)).json()) as Job;
}

async function results(job: Job): Promise<Record<string, unknown>[]> {
  await expect.poll(async () => (await status(job)).state, { timeout: 20_000 }).toBe('completed');
  const text = await (await get(`/v1/jobs/${job.id}/results`, owner)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Lets the leases on the board run out. */
async function expireLeases(): Promise<void> {
  await runInDurableObject(boardOf(env.WORK_BOARD), (_, { storage }) => {
    storage.sql.exec('UPDATE entries SET visible_at = 0');
  });
}

async function expectLost(response: Response): Promise<void> {
  expect(await response.json()).toMatchObject({ status: 409, code: 'lease_lost' });
}

const TWO = [{ r2: 'incoming/photo.png', id: 'a' }, 'incoming/photo.png'];

describe('a chunk that a GPU worker takes', () => {
  it('is answered in parts; the lines are the job’s: its ids, its model, one of each item', async () => {
    const { job, held } = await offered(TWO);
    expect(held).toMatchObject({ attempt: 1, task: 'classify', parameters: { top_k: 1 } });
    const [first, second] = answers(held, 'cat');
    expect(await (await report(held, [first!])).json()).toEqual({ pending: 1 });
    expect(await (await report(held, [first!, second!])).json()).toEqual({ pending: 0 });
    await expectLost(await report(held, [second!]));
    expect(await results(job)).toEqual([
      { index: 0, id: 'a', status: 'succeeded', model: held.model, ...predictions('cat'), engine: 'gpu' },
      { index: 1, status: 'succeeded', model: held.model, ...predictions('cat'), engine: 'gpu' },
    ]);
  });

  it('reads images and model files under its key, and nothing that was not signed', async () => {
    const { held } = await offered(['incoming/photo.png']);
    const path = held.items[0]!.path!;
    expect(new Uint8Array(await (await get(path, worker.token)).arrayBuffer())).toEqual(photo);
    expect((await get(path, owner)).status).toBe(403);
    expect((await get(path.replace('photo.png', 'other.png'), worker.token)).status).toBe(403);
    expect((await get(path.replace(/expires=\d+/, 'expires=9999999999999'), worker.token)).status).toBe(403);
    const files = `/v1/work/models/${held.model.name}/${held.model.version}`;
    expect(await (await get(`${files}/manifest.json`, worker.token)).json()).toMatchObject({ name: held.model.name });
    expect((await get(`${files}/nothing.bin`, worker.token)).status).toBe(404);
  });

  it('has what no worker may read answered at once', async () => {
    const { job, held } = await offered(['incoming/photo.png', { url: 'https://127.0.0.1/x.png' }]);
    expect(held.items.map(({ index }) => index)).toEqual([0]);
    await report(held, answers(held, 'cat'));
    expect(await results(job)).toMatchObject([{ status: 'succeeded' }, { error: { code: 'url_not_allowed' } }]);
  });

  it('has a stolen lease refused: it is of use with the key that took it alone', async () => {
    const { job, held } = await offered(TWO);
    await expectLost(await report(held, answers(held, 'thief'), other.token));
    await expectLost(
      await post('/v1/work/release', { worker: 'w', lease: held.lease, reason: 'stopping' }, other.token),
    );
    const renewed = await post('/v1/work/renew', { worker: 'w', leases: [held.lease] }, other.token);
    expect(await renewed.json()).toEqual({ lost: [held.lease] });
    await report(held, answers(held, 'cat'));
    expect(await results(job)).toMatchObject([predictions('cat'), predictions('cat')]);
  });

  it('has forged leases and answers refused', async () => {
    const { job, held } = await offered(TWO);
    const forged = { ...held, lease: `lease_${'0'.repeat(32)}` };
    await expectLost(await report(forged, answers(held, 'forged')));
    const stray = await report(held, [{ index: 99, status: 'succeeded', answer: predictions('stray') }]);
    expect(await stray.json()).toEqual({ pending: 2 });
    const embedding = { embedding: 'AACAPw==', dimensions: 1 };
    const unfit = await report(held, [{ index: 0, status: 'succeeded', answer: embedding }]);
    expect(await unfit.json()).toMatchObject({ status: 400, code: 'invalid_body' });
    const extra = { ...predictions('x'), status: 'failed' };
    expect((await report(held, [{ index: 0, status: 'succeeded', answer: extra }])).status).toBe(400);
    await report(held, answers(held, 'cat'));
    expect(await results(job)).toMatchObject([predictions('cat'), predictions('cat')]);
  });

  it('goes to another worker when its lease runs out; the first is not heard any more, and nothing is doubled', async () => {
    const { job, held } = await offered(TWO);
    await report(held, answers(held, 'first').slice(0, 1));
    expect(await lease(other.token)).toEqual([]);
    await expireLeases();
    const [again] = await lease(other.token);
    expect(again).toMatchObject({ attempt: 2, job: job.id, items: [{ index: 1 }] });
    await expectLost(await report(held, answers(held, 'late')));
    await report(again!, answers(again!, 'second'), other.token);
    expect(await results(job)).toMatchObject([predictions('first'), predictions('second')]);
  });

  it('stays with a worker that is late, if nobody else came', async () => {
    const { job, held } = await offered(TWO);
    await expireLeases();
    expect(await (await report(held, answers(held, 'late'))).json()).toEqual({ pending: 0 });
    expect(await results(job)).toMatchObject([predictions('late'), predictions('late')]);
  });

  it('is not answered by a worker whose key was revoked, from that moment on', async () => {
    const revoked = await createKey(['work']);
    const { job } = await offered(TWO);
    await expireLeases();
    const [held] = await lease(revoked.token);
    await deleteApiKey(new R2ObjectStore(env.MODELS), revoked.id);
    expect((await report(held!, answers(held!, 'revoked'), revoked.token)).status).toBe(401);
    expect((await get(held!.items[0]!.path!, revoked.token)).status).toBe(401);
    await expireLeases();
    const [again] = await lease();
    await report(again!, answers(again!, 'cat'));
    expect(await results(job)).toMatchObject([predictions('cat'), predictions('cat')]);
  });

  it('may be on the board and in the queue: both answer, one line is kept', async () => {
    const { job, held } = await offered(TWO);
    await env.JOBS_QUEUE.send({ v: 1, job: job.id, chunk: 0 });
    const lines = await results(job);
    expect(lines.map(({ engine }) => engine)).toEqual(['wasm', 'wasm']);
    expect(await (await report(held, answers(held, 'late'))).json()).toEqual({ pending: 0 });
    expect(await results(job)).toEqual(lines);
  });

  it('is taken back at once, or after a delay where items are left over', async () => {
    const { held } = await offered(TWO);
    await report(held, [{ index: 0, status: 'retry', error: { code: 'fetch_timeout', message: 'slow' } }]);
    await post('/v1/work/release', { worker: 'w', lease: held.lease, reason: 'leftover' });
    const [again] = await lease();
    expect(again).toMatchObject({ attempt: 1, items: [{ index: 0 }, { index: 1 }] });
    await post('/v1/work/release', { worker: 'w', lease: again!.lease, reason: 'stopping' });
    expect(await lease(other.token)).toMatchObject([{ attempt: 1, job: held.job }]);
  });

  it('is of no use any more once its job is cancelled', async () => {
    const { job, held } = await offered(TWO);
    await SELF.fetch(`${HOST}/v1/jobs/${job.id}`, { method: 'DELETE', headers: { authorization: `Bearer ${owner}` } });
    expect(await (await report(held, answers(held, 'late'))).json()).toEqual({ pending: 0 });
    await expireLeases();
    expect(await lease()).toEqual([]);
    expect((await status(job)).counts).toMatchObject({ succeeded: 0, pending: 0 });
  });
});

describe('what no worker does', () => {
  it('never reaches the board where no worker was seen', async () => {
    const response = await post('/v1/jobs', { inputs: TWO, parameters: { top_k: 1 } }, owner);
    const lines = await results((await response.json()) as Job);
    expect(lines.map(({ engine }) => engine)).toEqual(['wasm', 'wasm']);
  });

  it('is answered by WASM once the workers are gone', async () => {
    const { job, held } = await offered(TWO);
    await report(held, answers(held, 'cat').slice(0, 1));
    await expireLeases();
    const board = boardOf(env.WORK_BOARD);
    await runInDurableObject(board, (_, { storage }) => {
      storage.sql.exec('UPDATE workers SET seen_at = 0');
    });
    await runDurableObjectAlarm(board);
    expect((await results(job)).map(({ engine }) => engine)).toEqual(['gpu', 'wasm']);
  });

  it('is answered by the edge where a worker is not able to', async () => {
    const { job, held } = await offered(TWO);
    await post('/v1/work/release', { worker: 'w', lease: held.lease, reason: 'unable' });
    expect((await results(job)).map(({ engine }) => engine)).toEqual(['wasm', 'wasm']);
  });

  it('stays on the board however long, and is not counted as lost by its job', async () => {
    const { job, held } = await offered(TWO);
    await post('/v1/work/release', { worker: 'w', lease: held.lease, reason: 'stopping' });
    const stub = env.BULK_JOB.get(env.BULK_JOB.idFromName(job.id));
    await runInDurableObject(stub, (_, { storage }) => new ChunkStore(storage.sql).touch(0, 0));
    await runDurableObjectAlarm(stub);
    const sent = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql
        .exec<{ dispatches: number; dispatched_at: number }>('SELECT dispatches, dispatched_at FROM chunks')
        .one(),
    );
    expect(sent.dispatches).toBe(1);
    expect(sent.dispatched_at).toBeGreaterThan(0);
    const [again] = await lease();
    await report(again!, answers(again!, 'cat'));
    await results(job);
  });

  it('is let go of by the board when worker after worker dies of it', async () => {
    const { job } = await offered(TWO);
    for (let attempt = 2; attempt <= MAX_LEASES; attempt++) {
      await expireLeases();
      expect(await lease()).toMatchObject([{ attempt }]);
    }
    await expireLeases();
    expect(await lease()).toEqual([]);
    expect(await boardOf(env.WORK_BOARD).holding(job.id, [0])).toEqual([]);
  });
});

it('keys without the scope "work" are refused', async () => {
  const response = await post('/v1/work/lease', { worker: 'w' }, owner);
  expect(await response.json()).toMatchObject({ status: 403, code: 'forbidden' });
});
