/** The chunks of a job, in the SQLite of a Durable Object as in production. */
import { env, runInDurableObject } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { MAX_CHUNK_ITEMS } from '../../../worker/jobs/accept-job.ts';
import { ChunkStore, MAX_CHUNK_DISPATCHES, MAX_ITEM_ATTEMPTS } from '../../../worker/jobs/chunk-store.ts';
import type { ItemOutcome } from '../../../worker/jobs/records.ts';

const ERROR = { code: 'backend_unavailable', message: 'down' };

const succeeded = (index: number): ItemOutcome => ({ index, status: 'succeeded', line: `{"index":${index}}` });
const failed = (index: number): ItemOutcome => ({ index, status: 'failed', error: ERROR });
const retry = (index: number): ItemOutcome => ({ index, status: 'retry', error: ERROR });
const inputs = (count: number) => Array.from({ length: count }, (_, at) => ({ input: { r2: `${at}.png` } }));

async function withStore(use: (store: ChunkStore) => void): Promise<void> {
  const stub = env.BULK_JOB.get(env.BULK_JOB.newUniqueId());
  await runInDurableObject(stub, (_, state) => use(new ChunkStore(state.storage.sql)));
}

describe('chunks', () => {
  it('number their items on, and fail lines that are no inputs at once', () =>
    withStore((store) => {
      store.append(inputs(3));
      store.append([...inputs(1), { error: { code: 'invalid_manifest_line', message: 'no' } }]);
      expect(store.lease(1)).toEqual([{ index: 3, input: { r2: '0.png' } }]);
      expect(store.counts()).toEqual({ total: 5, pending: 4, succeeded: 0, failed: 1, cancelled: 0 });
      expect(store.results(1, 1)[0]).toMatchObject({ first: 3, ended: false, part: null });
    }));

  it('of inputs that are too long for a row become more', () =>
    withStore((store) => {
      const url = `https://images.example.com/${'\u6f22'.repeat(2000)}`;
      const long = Array.from({ length: MAX_CHUNK_ITEMS }, (_, at) => ({ input: { url, id: `${at}` } }));
      store.append(long);
      const chunks = store.undispatched(100);
      expect(chunks.length).toBeGreaterThan(1);
      const leased = chunks.flatMap((chunk) => store.lease(chunk) ?? []);
      expect(leased.map(({ input }) => input.id)).toEqual(long.map(({ input }) => input.id));
      expect(store.counts()).toMatchObject({ total: MAX_CHUNK_ITEMS, pending: MAX_CHUNK_ITEMS });
    }));

  it('keep the first outcome of an item, whatever is reported later, and ignore items of other chunks', () =>
    withStore((store) => {
      store.append(inputs(2));
      store.append(inputs(1));
      expect(store.report(0, [succeeded(0), succeeded(0), failed(0), succeeded(2)])).toEqual({
        finished: 1,
        chunkEnded: false,
      });
      expect(store.report(0, [failed(1)])).toEqual({ finished: 1, chunkEnded: true });
      expect(store.report(0, [succeeded(1)])).toEqual({ finished: 0, chunkEnded: false });
      expect(store.counts()).toEqual({ total: 3, pending: 1, succeeded: 1, failed: 1, cancelled: 0 });
      expect(store.results(0, 1)[0]?.lines[0]).toBe('{"index":0}');
    }));

  it('give up an item that was retried too often, not before', () =>
    withStore((store) => {
      store.append(inputs(1));
      for (let attempt = 1; attempt < MAX_ITEM_ATTEMPTS; attempt++) store.report(0, [retry(0)]);
      expect(store.counts().pending).toBe(1);
      expect(store.report(0, [retry(0)]).chunkEnded).toBe(true);
      expect(JSON.parse(store.results(0, 1)[0]!.lines[0]!)).toEqual({ index: 0, status: 'failed', error: ERROR });
    }));

  it('that are silent are sent again; a sign of life keeps them in flight', () =>
    withStore((store) => {
      store.append(inputs(1));
      store.append(inputs(1));
      store.markDispatched(store.undispatched(10), 1000);
      store.touch(1, 2000);
      expect(store.inFlight()).toBe(2);
      expect(store.takeBackSilent(1500)).toBe(1);
      expect(store.undispatched(10)).toEqual([0]);
      expect(store.inFlight()).toBe(1);
    }));

  it('that were sent too often end with failed items', () =>
    withStore((store) => {
      store.append(inputs(2));
      store.report(0, [succeeded(1)]);
      for (let sent = 0; sent < MAX_CHUNK_DISPATCHES; sent++) {
        expect(store.counts().pending).toBe(1);
        store.markDispatched([0], sent);
        store.takeBack(0);
      }
      expect(store.counts()).toMatchObject({ pending: 0, succeeded: 1, failed: 1 });
      expect(store.undispatched(10)).toEqual([]);
      expect(JSON.parse(store.results(0, 1)[0]!.lines[0]!)).toMatchObject({ error: { code: 'chunk_abandoned' } });
    }));

  it('that are opened again for a retry keep what succeeded, and refuse the part that was being written', () =>
    withStore((store) => {
      store.append(inputs(2));
      store.report(0, [succeeded(0), failed(1)]);
      const [writing] = store.uncompacted(1);
      expect(store.retryFailed(0, writing!.lines)).toBe(1);
      store.setPart(0, writing!.revision, 'old part');
      expect(store.lease(0).map(({ index }) => index)).toEqual([1]);
      store.report(0, [succeeded(1)]);
      store.setPart(0, writing!.revision, 'old part');
      expect(store.results(0, 1)[0]).toMatchObject({ part: null, lines: ['{"index":0}', '{"index":1}'] });
      store.setPart(0, writing!.revision + 1, 'new part');
      expect(store.results(0, 1)[0]).toMatchObject({ part: 'new part', lines: [], ended: true });
      expect(store.uncompacted(1)).toEqual([]);
      expect(store.counts()).toEqual({ total: 2, pending: 0, succeeded: 2, failed: 0, cancelled: 0 });
    }));

  it('that are cancelled keep their outcomes; the counts add up', () =>
    withStore((store) => {
      store.append(inputs(3));
      store.report(0, [succeeded(1)]);
      store.cancel();
      store.report(0, [succeeded(0)]);
      expect(store.counts()).toEqual({ total: 3, pending: 0, succeeded: 1, failed: 0, cancelled: 2 });
    }));
});
