import { describe, expect, test } from 'vitest';
import { Batcher, type BatchPolicy, type Queued } from '../../../gpu-backend/batcher.ts';
import { RequestError, RuntimeError } from '../../../worker/errors.ts';

/** A batcher on a clock that only moves when told, whose batches end when told. */
function setup(policy: Partial<BatchPolicy> = {}) {
  let nowMs = 0;
  const timers: { atMs: number; task: () => void }[] = [];
  const running: { batch: readonly Queued<string>[]; end: (error?: Error) => Promise<void> }[] = [];
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const batcher = new Batcher<string, string>(
    { maxBatch: 4, maxDelayMs: 10, maxQueue: 8, ...policy },
    {
      now: () => nowMs,
      schedule: (ms, task) => {
        const timer = { atMs: nowMs + ms, task };
        timers.push(timer);
        return () => void timers.splice(timers.indexOf(timer), 1);
      },
      run: (batch) =>
        new Promise((resolve, reject) => {
          const end = async (error?: Error) => {
            running.splice(running.indexOf(entry), 1);
            if (error === undefined) resolve(batch.map(({ request }) => `answer to ${request}`));
            else reject(error);
            await settle();
          };
          const entry = { batch, end };
          running.push(entry);
        }),
    },
  );
  const advance = (ms: number) => {
    nowMs += ms;
    for (const timer of timers.filter(({ atMs }) => atMs <= nowMs)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.task();
    }
  };
  const batches = () => running.map(({ batch }) => batch.map(({ request }) => request).join(''));
  return { batcher, advance, running, batches, timers, settle };
}

describe('batcher', () => {
  test('a lone request goes out when it has waited the delay, not before', async () => {
    const { batcher, advance, batches, running } = setup();
    const answer = batcher.submit('a', 1, 'k');
    advance(9);
    expect(batches()).toEqual([]);
    advance(1);
    expect(batches()).toEqual(['a']);
    await running[0]!.end();
    expect(await answer).toBe('answer to a');
  });

  test('requests within the delay share a batch, and each gets its own answer', async () => {
    const { batcher, advance, batches, running } = setup();
    const a = batcher.submit('a', 1, 'k');
    advance(9);
    const b = batcher.submit('b', 2, 'k');
    advance(1);
    expect(batches()).toEqual(['ab']);
    await running[0]!.end();
    expect(await Promise.all([a, b])).toEqual(['answer to a', 'answer to b']);
  });

  test('a full batch goes out at once; what does not fit starts the next', () => {
    const { batcher, batches } = setup();
    void batcher.submit('a', 3, 'k');
    void batcher.submit('b', 2, 'k');
    expect(batches()).toEqual(['a']);
    void batcher.submit('c', 2, 'k');
    expect(batches()).toEqual(['a', 'bc']);
  });

  test('while one batch runs a partial one waits and grows; a full one lines up behind it', async () => {
    const { batcher, advance, batches, running } = setup({ maxDelayMs: 0 });
    void batcher.submit('a', 1, 'k');
    advance(0);
    void batcher.submit('b', 1, 'k');
    advance(100);
    expect(batches()).toEqual(['a']);
    void batcher.submit('c', 3, 'k');
    expect(batches()).toEqual(['a', 'bc']);
    void batcher.submit('d', 4, 'k');
    expect(batches()).toEqual(['a', 'bc']);
    await running[0]!.end();
    expect(batches()).toEqual(['bc', 'd']);
  });

  test('requests of different keys never share a batch; the one that waited longest goes first', async () => {
    const { batcher, advance, batches, running } = setup();
    void batcher.submit('a', 1, 'small');
    advance(1);
    void batcher.submit('b', 1, 'large');
    void batcher.submit('c', 1, 'small');
    advance(20);
    expect(batches()).toEqual(['ac']);
    await running[0]!.end();
    expect(batches()).toEqual(['b']);
  });

  test('the queue takes exactly its limit; beyond it requests are refused with the numbers', async () => {
    const { batcher, batches } = setup({ maxQueue: 8 });
    for (const name of ['a', 'b', 'c', 'd']) void batcher.submit(name, 4, 'k');
    expect([batches(), batcher.queuedRows, batcher.isFull()]).toEqual([['a', 'b'], 8, true]);
    const error = await batcher.submit('e', 1, 'k').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RuntimeError);
    expect(error).toMatchObject({
      code: 'overloaded',
      retryAfterSeconds: 1,
      details: { queued: 8, limit: 8, rows: 1 },
    });
  });

  test('the wait that is asked for follows the pace', async () => {
    const { batcher, advance, running } = setup({ maxQueue: 1000 });
    for (let i = 0; i < 12; i++) void batcher.submit('x', 4, 'k');
    advance(400);
    await running[0]!.end();
    expect(batcher.overloaded()).toMatchObject({ details: { queued: 36 }, retryAfterSeconds: 4 });
  });

  test.each([0, 5])('a request of %i rows is refused where a batch holds 1 to 4', async (rows) => {
    await expect(setup().batcher.submit('a', rows, 'k')).rejects.toThrow(RequestError);
  });

  test('a failing batch fails its own requests only', async () => {
    const { batcher, batches, running } = setup();
    const a = batcher.submit('a', 4, 'k');
    const b = batcher.submit('b', 4, 'k');
    const failure = expect(a).rejects.toThrow('device lost');
    await running[0]!.end(new Error('device lost'));
    await failure;
    expect(batches()).toEqual(['b']);
    await running[0]!.end();
    expect(await b).toBe('answer to b');
  });

  test('an aborted request leaves the queue and makes room; one that went out runs on', async () => {
    const { batcher, advance, batches, running } = setup();
    const controllers = [new AbortController(), new AbortController()] as const;
    const a = batcher.submit('a', 1, 'k', controllers[0].signal);
    const b = batcher.submit('b', 1, 'k', controllers[1].signal);
    const aborted = expect(a).rejects.toThrow('client left');
    controllers[0].abort(new Error('client left'));
    await aborted;
    expect(batcher.queuedRows).toBe(1);
    advance(10);
    expect(batches()).toEqual(['b']);
    controllers[1].abort(new Error('too late'));
    await running[0]!.end();
    expect(await b).toBe('answer to b');
    await expect(batcher.submit('c', 1, 'k', controllers[0].signal)).rejects.toThrow('client left');
  });

  test('in a hurry nothing waits for others, neither what is there nor what still comes', async () => {
    const { batcher, advance, batches, running } = setup();
    void batcher.submit('a', 1, 'k');
    expect(batches()).toEqual([]);
    batcher.hurry();
    expect(batches()).toEqual(['a']);
    await running[0]!.end();
    void batcher.submit('b', 1, 'k');
    advance(0);
    expect(batches()).toEqual(['b']);
  });

  test('idle resolves when the last answer is out', async () => {
    const { batcher, advance, running, settle } = setup();
    await batcher.idle();
    void batcher.submit('a', 1, 'k');
    let idle = false;
    void batcher.idle().then(() => {
      idle = true;
    });
    advance(10);
    await settle();
    expect(idle).toBe(false);
    await running[0]!.end();
    expect(idle).toBe(true);
  });
});
