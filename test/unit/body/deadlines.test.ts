import { beforeEach, describe, expect, it } from 'vitest';
import type { ByteSource, Filled } from '../../../model-store/byte-source.ts';
import { CallerLimit } from '../../../worker/body/caller-limit.ts';
import { withDeadlines } from '../../../worker/body/deadlines.ts';

let clock: number;
let timers: { at: number; call: () => void }[];

beforeEach(() => {
  clock = 0;
  timers = [];
});

/** Time passes, and the pending read gets a byte if it lived that long. */
function source(): { timed: ByteSource; pass(ms: number): Promise<void> } {
  let deliver: (filled: Filled) => void = () => {};
  const timed = withDeadlines(
    {
      read: (buffer) => new Promise((resolve) => (deliver = () => resolve({ buffer, length: 1 }))),
      cancel: async () => {},
    },
    {
      idleMs: 100,
      totalMs: 250,
      now: () => clock,
      after(ms, call) {
        const timer = { at: clock + ms, call };
        timers.push(timer);
        return () => {
          timers = timers.filter((each) => each !== timer);
        };
      },
    },
  );
  return {
    timed,
    async pass(ms) {
      clock += ms;
      for (const timer of timers.filter(({ at }) => at <= clock)) timer.call();
      deliver({ buffer: new ArrayBuffer(1), length: 1 });
    },
  };
}

describe('withDeadlines', () => {
  it('says that a body broke off whose client left, and how far it came', async () => {
    let reads = 0;
    const timed = withDeadlines(
      {
        async read(buffer) {
          if (reads++ > 0) throw new Error('Network connection lost.');
          return { buffer, length: 7 };
        },
        cancel: async () => {},
      },
      { idleMs: 100, totalMs: 250, now: () => clock, after: () => () => {} },
    );
    await timed.read(new ArrayBuffer(8), 0);
    await expect(timed.read(new ArrayBuffer(8), 0)).rejects.toMatchObject({
      code: 'invalid_body',
      details: { bytes: 7 },
    });
  });

  it('lets a byte through that comes just in time, and refuses one that does not', async () => {
    const { timed, pass } = source();
    const first = timed.read(new ArrayBuffer(1), 0);
    await pass(99);
    await expect(first).resolves.toMatchObject({ length: 1 });
    const second = timed.read(new ArrayBuffer(1), 0);
    await pass(100);
    await expect(second).rejects.toMatchObject({ code: 'body_timeout', details: { bytes: 1, limit_ms: 100 } });
    expect(timers).toEqual([]);
  });

  it('refuses a client that trickles; what the reader takes its time for does not count', async () => {
    const { timed, pass } = source();
    for (let i = 0; i < 2; i++) {
      const read = timed.read(new ArrayBuffer(1), 0);
      await pass(99);
      await read;
      clock += 10_000;
    }
    const last = timed.read(new ArrayBuffer(1), 0);
    await pass(52);
    await expect(last).rejects.toMatchObject({ code: 'body_timeout', details: { bytes: 2, limit_ms: 250 } });
  });
});

describe('CallerLimit', () => {
  it('lets each caller send so many at a time, and gives a place back once', () => {
    const limit = new CallerLimit(2);
    const leave = limit.enter('a');
    limit.enter('a');
    const refused = { code: 'too_many_uploads', details: { bodies: 2, limit: 2 } };
    expect(() => limit.enter('a')).toThrow(expect.objectContaining(refused));
    expect(() => limit.enter('b')).not.toThrow();
    leave();
    leave();
    limit.enter('a');
    expect(() => limit.enter('a')).toThrow(expect.objectContaining(refused));
  });

  it('lets who is not limited send any number', () => {
    const limit = new CallerLimit(1);
    for (let i = 0; i < 5; i++) expect(() => limit.enter(null)).not.toThrow();
  });
});
