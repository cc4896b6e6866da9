import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBudget } from '../../../worker/inference/memory-budget.ts';

const LIMIT = 100;
const BASELINE = 10;

let heap: number;
let clock: number;
let timers: { at: number; call: () => void }[];
let budget: MemoryBudget;

beforeEach(() => {
  heap = 20;
  clock = 0;
  timers = [];
  budget = new MemoryBudget({
    limitBytes: LIMIT,
    baselineBytes: BASELINE,
    maxLeases: 3,
    smallBytes: 0,
    maxWaiting: 2,
    maxWaitMs: 1000,
    maxLeaseAgeMs: 60_000,
    heapBytes: () => heap,
    now: () => clock,
    after(ms, call) {
      const timer = { at: clock + ms, call };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
  });
});

function pass(ms: number): void {
  clock += ms;
  for (const timer of timers.filter(({ at }) => at <= clock)) timer.call();
}

/** Whether a promise has settled by now. */
async function state(promise: Promise<unknown>): Promise<'pending' | 'fulfilled' | 'rejected'> {
  const pending = Symbol('pending');
  try {
    return (await Promise.race([promise, Promise.resolve(pending)])) === pending ? 'pending' : 'fulfilled';
  } catch {
    return 'rejected';
  }
}

describe('MemoryBudget', () => {
  it('grants what fits beside heap and baseline, to the byte, and no byte more', async () => {
    const lease = await budget.acquire(LIMIT - BASELINE - heap, 'x');
    expect(budget.usedBytes).toBe(LIMIT);
    expect(await state(budget.acquire(1, 'x'))).toBe('pending');
    lease.release();
  });

  it('refuses at once what can never fit, with the numbers', async () => {
    await expect(budget.acquire(71, 'the request body')).rejects.toMatchObject({
      code: 'memory_budget_exceeded',
      message: expect.stringContaining('the request body'),
      details: { bytes: 71, limit_bytes: LIMIT },
    });
  });

  it('serves those who wait as memory comes back, and lets a small one pass a large one', async () => {
    const held = await budget.acquire(60, 'x');
    const large = budget.acquire(50, 'x');
    const small = budget.acquire(20, 'x');
    expect([await state(large), await state(small)]).toEqual(['pending', 'pending']);
    held.release();
    await expect(large).resolves.toMatchObject({ bytes: 50 });
    await expect(small).resolves.toMatchObject({ bytes: 20 });
  });

  it('does not let a newcomer overtake those who wait', async () => {
    await budget.acquire(60, 'x');
    const waiting = budget.acquire(30, 'x');
    expect(await state(budget.acquire(5, 'x', () => 0))).toBe('pending');
    expect(await state(waiting)).toBe('pending');
  });

  it('refuses with a retryable error beyond the bounded queue, and after maxWaitMs', async () => {
    await budget.acquire(70, 'x');
    const first = budget.acquire(10, 'x');
    void budget.acquire(10, 'x').catch(() => {});
    await expect(budget.acquire(10, 'x')).rejects.toMatchObject({ code: 'overloaded', retryAfterSeconds: 1 });
    pass(999);
    expect(await state(first)).toBe('pending');
    pass(1);
    await expect(first).rejects.toMatchObject({ code: 'memory_budget_exceeded', retryAfterSeconds: 1 });
    expect(budget.waiting).toBe(0);
  });

  it('keeps headroom free for the next step of those who hold a lease', async () => {
    const body = budget.acquire(40, 'a body', () => 30);
    await expect(body).resolves.toBeDefined();
    expect(await state(budget.acquire(10, 'a body', () => 30))).toBe('pending');
    await expect(budget.acquire(41, 'a body', () => 30)).rejects.toMatchObject({ code: 'memory_budget_exceeded' });
  });

  it('lets the next step of a holder pass those who wait for their first lease, who could wait for it for ever', async () => {
    await budget.acquire(40, 'a body', () => 20);
    const second = budget.acquire(30, 'a body', () => 20);
    expect(await state(second)).toBe('pending');
    const decode = await budget.acquire(20, 'decoding the image');
    expect(await state(second)).toBe('pending');
    expect(await state(budget.acquire(1, 'a body', () => 1))).toBe('pending');
    decode.release();
  });

  it('lets a decode that fits pass a load that does not, though nothing is given back meanwhile', async () => {
    await budget.acquire(40, 'a body', () => 20);
    const load = budget.acquireForLoad(60, 50, 'model b');
    expect(await state(load)).toBe('pending');
    await expect(budget.acquire(10, 'decoding the image')).resolves.toBeDefined();
    expect(await state(load)).toBe('pending');
    load.catch(() => {});
    pass(1000);
  });

  it('promises nobody what a load under way will keep, and refuses at once who waited for it', async () => {
    const load = await budget.acquireForLoad(40, 30, 'model b');
    expect(budget.capacityBytes).toBe(LIMIT - BASELINE - heap - 30);
    await expect(budget.acquire(41, 'x')).rejects.toMatchObject({ code: 'memory_budget_exceeded' });
    let headroom = 0;
    const body = budget.acquire(35, 'a body', () => headroom);
    expect(await state(body)).toBe('pending');
    headroom = 10;
    heap += 30;
    load.release();
    await expect(body).rejects.toMatchObject({ code: 'memory_budget_exceeded' });
  });

  it('takes back a part of a lease, and the growth of a load that vanished', async () => {
    const lease = await budget.acquire(50, 'x');
    lease.shrink(60);
    expect(budget.leasedBytes).toBe(50);
    const waiting = budget.acquire(40, 'x');
    lease.shrink(10);
    await expect(waiting).resolves.toBeDefined();
    lease.release();
    lease.shrink(0);
    expect(budget.leasedBytes).toBe(40);
    await budget.acquireForLoad(20, 20, 'model b');
    clock = 60_001;
    await budget.acquire(70, 'x');
    expect([budget.leasedBytes, budget.growthBytes]).toEqual([70, 0]);
  });

  it('makes the lease after the last one wait, however small', async () => {
    const held = await Promise.all([1, 1, 1].map((bytes) => budget.acquire(bytes, 'x')));
    const fourth = budget.acquire(1, 'x');
    expect(await state(fourth)).toBe('pending');
    held[0]!.release();
    await expect(fourth).resolves.toBeDefined();
  });

  it('counts a heap that grew', async () => {
    heap = 80;
    await expect(budget.acquire(11, 'x')).rejects.toMatchObject({ code: 'memory_budget_exceeded' });
  });

  it('gives memory back once, however often it is released', async () => {
    const lease = await budget.acquire(30, 'x');
    lease.release();
    lease.release();
    expect(budget.leasedBytes).toBe(0);
  });

  it('takes back the lease of a request that is gone', async () => {
    await budget.acquire(70, 'x');
    clock = 60_001;
    await expect(budget.acquire(70, 'x')).resolves.toBeDefined();
  });

  describe('a lease that grows', () => {
    const none = () => 0;

    it('takes memory step by step, and gives all of it back at once', async () => {
      const lease = budget.open();
      expect(budget.leasedBytes).toBe(0);
      await lease.grow(10, 'a body', none);
      await lease.grow(30, 'a body', none);
      await lease.grow(20, 'a body', none);
      expect([lease.bytes, budget.leasedBytes]).toEqual([30, 30]);
      lease.shrink(5);
      expect(budget.leasedBytes).toBe(5);
      lease.release();
      lease.release();
      expect(budget.leasedBytes).toBe(0);
    });

    it('does not count as a request in flight, however many there are', async () => {
      for (let i = 0; i < 50; i++) await budget.open().grow(1, 'a body', none);
      const turns = [1, 2, 3].map(() => budget.acquire(0, 'the request'));
      expect(await Promise.all(turns.map(state))).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
      expect(await state(budget.acquire(0, 'the request'))).toBe('pending');
    });

    it('waits for what does not fit beside it, and is refused what can never fit, with what it holds', async () => {
      const held = await budget.acquire(30, 'x');
      const lease = budget.open();
      await lease.grow(20, 'a body', none);
      const more = lease.grow(50, 'a body', none);
      expect(await state(more)).toBe('pending');
      held.release();
      await more;
      expect(budget.leasedBytes).toBe(50);
      await expect(lease.grow(71, 'a body', none)).rejects.toMatchObject({ code: 'memory_budget_exceeded' });
      expect(lease.bytes).toBe(50);
    });

    it('that is given back while it waits gets nothing', async () => {
      const held = await budget.acquire(60, 'x');
      const lease = budget.open();
      const grown = lease.grow(20, 'a body', none);
      lease.release();
      held.release();
      await expect(grown).rejects.toMatchObject({ code: 'client_gone' });
      expect(budget.leasedBytes).toBe(0);
    });
  });

  it('lets small wants pass large ones that wait', async () => {
    const small = new MemoryBudget({
      limitBytes: LIMIT,
      baselineBytes: BASELINE,
      maxLeases: 10,
      smallBytes: 5,
      maxWaiting: 5,
      maxWaitMs: 1000,
      maxLeaseAgeMs: 60_000,
      heapBytes: () => 20,
      now: () => 0,
      after: () => () => {},
    });
    await small.acquire(60, 'x');
    expect(await state(small.acquire(30, 'x', () => 0))).toBe('pending');
    expect(await state(small.acquire(6, 'x', () => 0))).toBe('pending');
    expect(await state(small.acquire(5, 'x', () => 0))).toBe('fulfilled');
    expect(await state(small.acquire(6, 'x', () => 0))).toBe('pending');
  });
});
