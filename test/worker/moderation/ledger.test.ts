/** The Durable Object that must lose nothing: acceptance, decisions, deliveries, restarts, retention. */
import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ModerationLedger } from '../../../worker/moderation/ledger/moderation-ledger.ts';
import type { IncomingItem, IncomingMessage } from '../../../worker/moderation/ledger/records.ts';
import type { Decision } from '../../../worker/moderation/verdict-shapes.ts';
import { RECEIVER_SECRET, RECEIVER_URL } from '../../support/moderation-bindings.ts';

type Stub = DurableObjectStub<ModerationLedger>;

let ledger: Stub;
let source: string;
let sent: { url: string; id: string; body: string; headers: Record<string, string> }[];
let answer: (url: string, attempt: number) => Response | Promise<Response>;
let number = 0;

beforeEach(() => {
  source = `test-${number++}`;
  ledger = env.MODERATION_LEDGER.get(env.MODERATION_LEDGER.idFromName(source));
  sent = [];
  answer = () => new Response(null, { status: 204 });
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const headers = Object.fromEntries(request.headers);
    const id = headers['webhook-id'] ?? '';
    // A retry of an earlier test's ledger may come due while this one runs.
    if (!id.startsWith(`evt_${source}_`)) return new Response('late');
    sent.push({ url: request.url, id, body: await request.text(), headers });
    return answer(request.url, sent.length);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function item(name: string, callbackUrl: string | null = RECEIVER_URL): IncomingItem {
  return {
    eventId: `evt_${source}_${name.padStart(32, '0')}`,
    reference: `image-${name}`,
    image: { url: `https://images.example.com/${name}.png` },
    policy: 'default',
    callbackUrl,
    metadata: '{"user":7}',
  };
}

function message(id: string, items: readonly IncomingItem[], body = id): IncomingMessage {
  return { id, idIsSigned: true, bodySha256: body, items };
}

function decision(id: string): Decision {
  return {
    id: id.replace('evt', 'dec'),
    decided_at: new Date().toISOString(),
    verdict: 'block',
    reason: 'weapons',
    categories: [
      { name: 'weapons', score: 0.9, threshold: 0.5, action: 'block', labels: [{ label: 'cannon', score: 0.9 }] },
    ],
    policy: { name: 'default', version: '1' },
    model: { name: 'bit-tiny-200', version: '1' },
    image_sha256: 'a'.repeat(64),
  };
}

/** Accepts, decides and finishes one item. */
async function finished(name: string, callbackUrl: string | null = RECEIVER_URL): Promise<string> {
  const one = item(name, callbackUrl);
  await ledger.accept(source, message(`msg-${name}`, [one]));
  await ledger.decide(one.eventId, decision(one.eventId));
  await ledger.finish(one.eventId, []);
  return one.eventId;
}

/** Makes what is scheduled due now, then lets the alarm run. */
async function makeDueAndRun(): Promise<void> {
  await runInDurableObject(ledger, (_, state) => {
    state.storage.sql.exec("UPDATE events SET next_at = 1 WHERE state = 'pending'");
  });
  await runDurableObjectAlarm(ledger);
}

describe('acceptance', () => {
  it('gives the same events for a second delivery, and does nothing for it', async () => {
    const items = [item('1'), item('2')];
    const first = await ledger.accept(source, message('msg', items));
    expect(first).toEqual({
      outcome: 'accepted',
      events: items.map(({ eventId, reference }) => ({ id: eventId, reference })),
    });
    const second = await ledger.accept(source, message('msg', items));
    expect(second).toEqual({ ...first, outcome: 'duplicate' });
    expect(await ledger.counts()).toEqual({ accepted: 2 });
  });

  it('refuses another body under the same id, and the same body under another id that is not signed', async () => {
    await ledger.accept(source, message('msg', [item('1')]));
    expect(await ledger.accept(source, message('msg', [item('2')], 'other body'))).toEqual({
      outcome: 'replayed',
      events: [],
    });
    const unsigned = { ...message('msg-2', [item('3')], 'msg'), idIsSigned: false };
    expect((await ledger.accept(source, unsigned)).outcome).toBe('replayed');
    expect((await ledger.accept(source, { ...unsigned, idIsSigned: true })).outcome).toBe('accepted');
    expect(await ledger.counts()).toEqual({ accepted: 2 });
  });

  it('queues again what nobody has judged in time, with growing delays', async () => {
    await ledger.accept(source, message('msg', [item('1'), item('2')]));
    await ledger.decide(item('2').eventId, decision(item('2').eventId));
    await runInDurableObject<ModerationLedger, void>(ledger, async (instance, state) => {
      state.storage.sql.exec('UPDATE events SET next_at = 1');
      await state.storage.deleteAlarm();
      const send = vi.spyOn(instanceQueue(instance), 'sendBatch').mockResolvedValue(queueAnswer);
      await instance.alarm();
      expect(send.mock.calls.flatMap(([batch]) => [...batch].map(({ body }) => body))).toEqual([
        { source, event: item('1').eventId },
        { source, event: item('2').eventId },
      ]);
      await instance.alarm();
      expect(send).toHaveBeenCalledTimes(1);
      const rows = state.storage.sql.exec<{ requeues: number; next_at: number }>(
        'SELECT requeues, next_at FROM events',
      );
      for (const { requeues, next_at } of rows) {
        expect(requeues).toBe(1);
        expect(next_at).toBeGreaterThan(Date.now() + 29 * 60_000);
      }
      expect(await state.storage.getAlarm()).toBeGreaterThan(Date.now() + 29 * 60_000);
    });
  });

  it('keeps an event whose queue cannot be reached, and tries again', async () => {
    await runInDurableObject<ModerationLedger, void>(ledger, async (instance, state) => {
      const send = vi.spyOn(instanceQueue(instance), 'sendBatch').mockRejectedValue(new Error('queue is down'));
      const acceptance = await instance.accept(source, message('msg', [item('1')]));
      expect(acceptance.outcome).toBe('accepted');
      state.storage.sql.exec('UPDATE events SET next_at = 1');
      send.mockResolvedValue(queueAnswer);
      await instance.alarm();
      expect(send).toHaveBeenCalledTimes(2);
    });
  });
});

describe('decisions', () => {
  it('lets the first decision stand', async () => {
    const { eventId } = item('1');
    await ledger.accept(source, message('msg', [item('1')]));
    const first = decision(eventId);
    expect(await ledger.decide(eventId, first)).toEqual(first);
    expect(await ledger.decide(eventId, { ...first, verdict: 'allow' })).toEqual(first);
    expect(await ledger.decide('evt_nobody', first)).toBeNull();
    expect(await ledger.decision(first.id, null)).toMatchObject({
      decision: first,
      item_id: 'image-1',
      event_id: eventId,
    });
  });

  it('forgets where the image was once the work is done', async () => {
    const id = await finished('1');
    const { image, decision: kept } = (await ledger.work(id))!;
    expect(image).toBeNull();
    expect(kept?.image_sha256).toBe('a'.repeat(64));
    await runInDurableObject(ledger, (_, state) => {
      expect(JSON.stringify(state.storage.sql.exec('SELECT * FROM events').toArray())).not.toContain('images.example');
    });
  });

  it('ends an event that nobody is to be called about', async () => {
    const id = await finished('1', null);
    await runDurableObjectAlarm(ledger);
    expect(await ledger.event(id)).toMatchObject({ state: 'unaddressed', verdict: 'block', attempts: 0 });
    expect(sent).toEqual([]);
  });

  it('lists by time and id, newest first, page by page, narrowed by filters', async () => {
    for (const [index, verdict] of (['allow', 'block', 'review', 'block'] as const).entries()) {
      const at = new Date(1_700_000_000_000 + Math.floor(index / 2) * 1000).toISOString();
      await ledger.record(
        { ...decision(`dec_x_${index}`), id: `dec_x_${index}`, verdict, decided_at: at },
        `ref-${index}`,
        null,
        index < 2 ? 'key-a' : 'key-b',
      );
    }
    const ids = async (...args: Parameters<Stub['decisions']>) =>
      (await ledger.decisions(...args)).map(({ decision }) => decision.id);
    expect(await ids({}, null, 10)).toEqual(['dec_x_3', 'dec_x_2', 'dec_x_1', 'dec_x_0']);
    expect(await ids({}, null, 2)).toEqual(['dec_x_3', 'dec_x_2']);
    expect(await ids({}, { timeMs: 1_700_000_001_000, id: 'dec_x_2' }, 2)).toEqual(['dec_x_1', 'dec_x_0']);
    expect(await ids({ tenant: 'key-a' }, null, 10)).toEqual(['dec_x_1', 'dec_x_0']);
    expect(await ledger.decision('dec_x_1', 'key-a')).not.toBeNull();
    expect(await ledger.decision('dec_x_1', 'key-b')).toBeNull();
    expect(await ids({ verdict: 'block' }, null, 10)).toEqual(['dec_x_3', 'dec_x_1']);
    expect(await ids({ sinceMs: 1_700_000_001_000 }, null, 10)).toEqual(['dec_x_3', 'dec_x_2']);
    expect(await ids({ untilMs: 1_700_000_001_000 }, null, 10)).toEqual(['dec_x_1', 'dec_x_0']);
    expect(await ids({ reference: 'ref-1', policy: 'default' }, null, 10)).toEqual(['dec_x_1']);
    expect(await ids({ policy: 'other' }, null, 10)).toEqual([]);
  });
});

describe('events that cannot be judged', () => {
  const failure = { code: 'model_corrupt', message: 'damaged' };

  it('show why while they are tried, end as undecided, and are not delivered', async () => {
    const { eventId } = item('1');
    await ledger.accept(source, message('msg', [item('1')]));
    await ledger.noteFailure(eventId, failure, false);
    expect(await ledger.event(eventId)).toMatchObject({ state: 'accepted', failure, verdict: null });
    expect(await ledger.abandon(eventId)).toBe(true);
    expect(await ledger.abandon(eventId)).toBe(false);
    await ledger.finish(eventId, []);
    await runDurableObjectAlarm(ledger);
    expect(await ledger.event(eventId)).toMatchObject({ state: 'undecided', failure, verdict: null, decision: null });
    expect(await ledger.events('undecided', null, 10)).toMatchObject([{ id: eventId }]);
    expect(await ledger.decisions({}, null, 10)).toEqual([]);
    expect(sent).toEqual([]);
    expect(await ledger.replay(eventId)).toBe('undecided');
  });

  it('are queued again in bulk, as if they had just been accepted; what is decided is not', async () => {
    const items = Array.from({ length: 250 }, (_, index) => item(String(index)));
    await runInDurableObject<ModerationLedger, void>(ledger, async (instance) => {
      const send = vi.spyOn(instanceQueue(instance), 'sendBatch').mockResolvedValue(queueAnswer);
      await instance.accept(source, message('msg', items));
      for (const { eventId } of items.slice(50)) await instance.abandon(eventId);
      await instance.noteFailure(items[60]!.eventId, failure, true);
      send.mockClear();
      expect(await instance.rejudge()).toBe(200);
      expect(await instance.rejudge()).toBe(0);
      await instance.alarm();
      const queued = send.mock.calls.flatMap(([batch]) => [...batch].map(({ body }) => body));
      expect(queued).toHaveLength(200);
      expect(queued).toEqual(
        expect.arrayContaining(items.slice(50).map(({ eventId }) => ({ source, event: eventId }))),
      );
      expect(instance.work(items[60]!.eventId)).toMatchObject({ state: 'accepted', fetchFailures: 0 });
    });
    expect(await ledger.counts()).toEqual({ accepted: 250 });
  });

  it('that were given up while they were judged are decided all the same', async () => {
    const { eventId } = item('1');
    await ledger.accept(source, message('msg', [item('1')]));
    await ledger.abandon(eventId);
    await ledger.decide(eventId, decision(eventId));
    expect(await ledger.rejudge()).toBe(0);
    await ledger.finish(eventId, []);
    await runDurableObjectAlarm(ledger);
    expect(await ledger.event(eventId)).toMatchObject({ state: 'delivered', failure: null, verdict: 'block' });
    expect(sent).toHaveLength(1);
  });

  it('in a ledger of an earlier release get the columns that it lacks', async () => {
    const id = await finished('1');
    await runInDurableObject(ledger, (_, { storage: { sql } }) => {
      sql.exec('ALTER TABLE events DROP COLUMN failure');
      sql.exec('ALTER TABLE events DROP COLUMN fetch_failures');
      sql.exec('ALTER TABLE events DROP COLUMN traceparent');
      sql.exec('DROP TABLE schema_versions');
    });
    await evictDurableObject(ledger);
    await ledger.accept(source, message('msg', [item('2')]));
    await ledger.noteFailure(item('2').eventId, failure, true);
    expect(await ledger.event(id)).toMatchObject({ verdict: 'block', failure: null });
    expect(await ledger.work(item('2').eventId)).toMatchObject({ fetchFailures: 1 });
  });
});

describe('delivery', () => {
  it('sends what the reference package verifies, with the event id as webhook-id', async () => {
    const id = await finished('1');
    await runDurableObjectAlarm(ledger);
    expect(sent).toHaveLength(1);
    const [{ url, body, headers }] = sent as [(typeof sent)[0]];
    expect(url).toBe(RECEIVER_URL);
    expect(new Webhook(RECEIVER_SECRET).verify(body, headers)).toMatchObject({
      type: 'moderation.completed',
      data: { event_id: id, id: 'image-1', metadata: { user: 7 }, decision: { verdict: 'block', reason: 'weapons' } },
    });
    expect(headers['webhook-id']).toBe(id);
    expect(await ledger.event(id)).toMatchObject({
      state: 'delivered',
      attempts: 1,
      next_attempt_at: null,
      attempt_log: [{ number: 1, outcome: 'delivered', status: 204 }],
    });
    await runDurableObjectAlarm(ledger);
    expect(sent).toHaveLength(1);
  });

  it('goes on with the trace of the request that brought the image', async () => {
    const one = item('7');
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await ledger.accept(source, { ...message('msg-7', [one]), traceparent });
    expect(await ledger.work(one.eventId)).toMatchObject({ traceparent });
    await ledger.decide(one.eventId, decision(one.eventId));
    await ledger.finish(one.eventId, []);
    await runDurableObjectAlarm(ledger);
    expect(sent[0]!.headers.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)/);
  });

  it.each([
    [500, {}, 'status'],
    [302, { location: 'https://elsewhere.example.com/' }, 'redirect'],
    [404, {}, 'status'],
    [429, { 'retry-after': '3600' }, 'status'],
  ])('tries again after %i', async (status, headers: Record<string, string>, outcome) => {
    answer = () => new Response('no', { status, headers });
    const id = await finished('1');
    const before = Date.now();
    await runDurableObjectAlarm(ledger);
    expect(sent).toHaveLength(1);
    const log = (await ledger.event(id))!;
    expect(log).toMatchObject({ state: 'pending', attempts: 1, attempt_log: [{ outcome, status }] });
    const wait = Date.parse(log.next_attempt_at!) - before;
    expect(wait).toBeGreaterThanOrEqual(status === 429 ? 3_600_000 : 5000);
    expect(wait).toBeLessThan(status === 429 ? 3_605_000 : 7000);
    answer = () => new Response('ok');
    await makeDueAndRun();
    expect(await ledger.event(id)).toMatchObject({ state: 'delivered', attempts: 2 });
    expect(sent.map((each) => each.id)).toEqual([id, id]);
  });

  it('counts a connection that breaks, and an answer that breaks off, as failures', async () => {
    answer = () => Promise.reject(new Error('connection reset'));
    const id = await finished('1');
    await runDurableObjectAlarm(ledger);
    answer = () => {
      const broken = new ReadableStream({
        pull(controller) {
          controller.error(new Error('closed'));
        },
      });
      return new Response(broken);
    };
    await makeDueAndRun();
    expect((await ledger.event(id))!.attempt_log).toMatchObject([
      { outcome: 'network', status: null, detail: 'connection reset' },
      { outcome: 'network', status: 200 },
    ]);
  });

  it('is dead after ten attempts, and can be replayed under the same id', async () => {
    answer = () => new Response('no', { status: 503 });
    const id = await finished('1');
    await runDurableObjectAlarm(ledger);
    for (let attempt = 2; attempt <= 10; attempt++) {
      expect((await ledger.event(id))!.state).toBe('pending');
      await makeDueAndRun();
    }
    expect(await ledger.event(id)).toMatchObject({ state: 'dead', attempts: 10, next_attempt_at: null });
    expect(await ledger.events('dead', null, 10)).toMatchObject([{ id }]);

    answer = () => new Response('ok');
    expect(await ledger.replay(id)).toBe('replayed');
    expect(await ledger.replay(id)).toBe('in_work');
    await runDurableObjectAlarm(ledger);
    const log = (await ledger.event(id))!;
    expect(log).toMatchObject({ state: 'delivered', attempts: 11 });
    expect(log.attempt_log).toHaveLength(11);
    expect(new Set(sent.map((each) => each.id))).toEqual(new Set([id]));
    expect(await ledger.replay('evt_nobody')).toBe('not_found');
  });

  it('stops at 410, for everything that waits for that receiver and no other', async () => {
    answer = (url) => new Response(null, { status: url === RECEIVER_URL ? 410 : 200 });
    const first = await finished('1');
    await runDurableObjectAlarm(ledger);
    const second = await finished('2');
    const elsewhere = await finished('3', `${RECEIVER_URL}elsewhere`);
    await runDurableObjectAlarm(ledger);
    expect((await ledger.event(first))!.attempt_log).toMatchObject([{ outcome: 'gone', status: 410 }]);
    expect(await ledger.event(second)).toMatchObject({ state: 'disabled', attempts: 0 });
    expect(await ledger.event(elsewhere)).toMatchObject({ state: 'delivered' });
    expect(await ledger.endpoints()).toMatchObject([
      { url: RECEIVER_URL, state: 'disabled', disabled: 2 },
      { url: `${RECEIVER_URL}elsewhere`, state: 'enabled', delivered: 1 },
    ]);

    expect(await ledger.replay(first)).toBe('disabled');
    expect(await ledger.replayAll('disabled')).toBe(0);
    expect(await ledger.enable(RECEIVER_URL)).toBe(true);
    expect(await ledger.enable(RECEIVER_URL)).toBe(false);
    answer = () => new Response('ok');
    expect(await ledger.replayAll('disabled')).toBe(2);
    await runDurableObjectAlarm(ledger);
    expect(await ledger.counts()).toEqual({ delivered: 3 });
  });

  it('never sends unsigned: a URL without a receiver fails instead', async () => {
    const id = await finished('1', 'https://nobody.example.com/hook');
    await runDurableObjectAlarm(ledger);
    expect(sent).toEqual([]);
    expect(await ledger.event(id)).toMatchObject({ state: 'pending', attempt_log: [{ outcome: 'no_secret' }] });
  });

  it('delivers a hundred, a few at a time, to slow and failing receivers alike', async () => {
    let inFlight = 0;
    let most = 0;
    answer = async (url) => {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inFlight--;
      return new Response(null, { status: url.endsWith('bad') ? 500 : 200 });
    };
    const urls = [RECEIVER_URL, `${RECEIVER_URL}a`, `${RECEIVER_URL}b`, `${RECEIVER_URL}bad`];
    for (let index = 0; index < 100; index++) await finished(String(index), urls[index % 4]!);
    await runDurableObjectAlarm(ledger);
    expect(await ledger.counts()).toEqual({ delivered: 75, pending: 25 });
    expect(most).toBeLessThanOrEqual(5);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(100);
    expect(sent).toHaveLength(100);
  });
});

describe('restart', () => {
  it('goes on after the object was evicted, with its alarm', async () => {
    const id = await finished('1');
    await evictDurableObject(ledger);
    expect(await ledger.event(id)).toMatchObject({ state: 'pending' });
    await runInDurableObject(ledger, async (_, state) => {
      expect(await state.storage.getAlarm()).not.toBeNull();
    });
    await runDurableObjectAlarm(ledger);
    expect(await ledger.event(id)).toMatchObject({ state: 'delivered' });
  });

  it('sets the alarm again where it was lost', async () => {
    const id = await finished('1');
    await runInDurableObject(ledger, (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(ledger);
    await ledger.event(id);
    await runDurableObjectAlarm(ledger);
    expect(await ledger.event(id)).toMatchObject({ state: 'delivered' });
  });

  it('shows an attempt that the worker did not survive, and makes another', async () => {
    const id = await finished('1');
    await runInDurableObject(ledger, (_, state) => {
      state.storage.sql.exec('INSERT INTO attempts (event_id, number, started_at) VALUES (?, 1, 1)', id);
      state.storage.sql.exec('UPDATE events SET attempts = 1 WHERE id = ?', id);
    });
    await runDurableObjectAlarm(ledger);
    expect((await ledger.event(id))!.attempt_log).toMatchObject([
      { number: 1, outcome: 'interrupted', status: null },
      { number: 2, outcome: 'delivered' },
    ]);
  });
});

describe('retention', () => {
  it('forgets what is older by an alarm, and nothing that is still in work', async () => {
    const ended = await finished('1');
    await runDurableObjectAlarm(ledger);
    const waiting = await finished('2');
    await runInDurableObject<ModerationLedger, void>(ledger, async (instance) => {
      const send = vi.spyOn(instanceQueue(instance), 'sendBatch').mockResolvedValue(queueAnswer);
      await instance.accept(source, message('msg-3', [item('3')]));
      send.mockRestore();
    });
    const monthAgo = Date.now() - 30 * 86_400_000 - 1000;
    await runInDurableObject<ModerationLedger, void>(ledger, async (instance, state) => {
      const { sql } = state.storage;
      sql.exec('UPDATE events SET accepted_at = ?, next_at = ?', monthAgo, Date.now() + 3_600_000);
      sql.exec('UPDATE events SET finished_at = ? WHERE finished_at IS NOT NULL', monthAgo);
      sql.exec('UPDATE decisions SET decided_at = ?', monthAgo);
      sql.exec('UPDATE messages SET received_at = ?', monthAgo);
      // As after a restart: this instance has not looked yet.
      await state.storage.deleteAlarm();
      await instance.alarm();
    });
    await evictDurableObject(ledger);
    await runDurableObjectAlarm(ledger);
    expect(await ledger.event(ended)).toBeNull();
    expect(await ledger.event(waiting)).toMatchObject({ state: 'pending' });
    expect(await ledger.event(item('3').eventId)).toMatchObject({ state: 'accepted' });
    expect(await ledger.decisions({}, null, 10)).toEqual([]);
    await runInDurableObject(ledger, (_, { storage: { sql } }) => {
      expect(sql.exec('SELECT * FROM messages').toArray()).toEqual([]);
      expect(sql.exec('SELECT * FROM attempts').toArray()).toEqual([]);
    });
  });

  it('keeps what is younger, and wakes up when its time has come', async () => {
    const id = await finished('1');
    await runDurableObjectAlarm(ledger);
    expect(await ledger.event(id)).toMatchObject({ state: 'delivered' });
    await runInDurableObject(ledger, async (_, state) => {
      const alarm = (await state.storage.getAlarm())!;
      expect(Math.abs(alarm - Date.now() - 30 * 86_400_000)).toBeLessThan(60_000);
    });
  });
});

type QueueOf = (typeof env)['MODERATION_QUEUE'];
const queueAnswer = { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };

/** The queue that an instance sends to. */
function instanceQueue(instance: ModerationLedger): QueueOf {
  const bindings: { MODERATION_QUEUE: QueueOf } = Reflect.get(instance, 'env');
  return bindings.MODERATION_QUEUE;
}
