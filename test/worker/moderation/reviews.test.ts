/** Reviews: claims that two people never share, answers that come once, and the signed callback that carries them. */
import { env, runDurableObjectAlarm, runInDurableObject, SELF } from 'cloudflare:test';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ModerationLedger } from '../../../worker/moderation/ledger/moderation-ledger.ts';
import { CLAIM_MS } from '../../../worker/moderation/ledger/review-store.ts';
import { API_SOURCE } from '../../../worker/moderation/settings.ts';
import type { Decision } from '../../../worker/moderation/verdict-shapes.ts';
import { RECEIVER_SECRET, RECEIVER_URL } from '../../support/moderation-bindings.ts';

interface Review {
  readonly id: string;
  readonly state: string;
  readonly reviewer: { readonly key: string; readonly name: string | null } | null;
  readonly callback_event_id: string | null;
  readonly age_s: number;
  readonly label: string | null;
}

let ledger: DurableObjectStub<ModerationLedger>;
let number = 0;

/** Within the retention. */
const START_MS = Date.now() - 3_600_000;

beforeEach(async () => {
  ledger = env.MODERATION_LEDGER.get(env.MODERATION_LEDGER.idFromName(API_SOURCE));
  await runInDurableObject(ledger, (_, { storage }) => {
    for (const table of ['decisions', 'reviews', 'events']) storage.sql.exec(`DELETE FROM ${table}`);
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function decision(verdict: Decision['verdict'] = 'review', source: string = API_SOURCE): Decision {
  number++;
  return {
    id: `dec_${source}_${String(number).padStart(32, '0')}`,
    decided_at: new Date(START_MS + number * 1000).toISOString(),
    verdict,
    reason: 'weapons',
    categories: [
      { name: 'weapons', score: 0.2, threshold: 0.1, action: 'review', labels: [{ label: 'cannon', score: 0.2 }] },
    ],
    policy: { name: 'default', version: '1' },
    model: { name: 'bit-tiny-200', version: '1' },
    image_sha256: 'a'.repeat(64),
  };
}

async function pending(count: number): Promise<string[]> {
  const decisions = Array.from({ length: count }, () => decision());
  for (const each of decisions) await ledger.record(each, `image of ${each.id}`, null, 'key-a');
  return decisions.map(({ id }) => id);
}

async function call<T>(method: string, path: string, body?: object): Promise<{ status: number; body: T }> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const headers = { 'content-type': 'application/json' };
  const response = await SELF.fetch(`http://localhost/v1/reviews${path}`, { ...init, headers });
  return { status: response.status, body: await response.json() };
}

const next = async (reviewer: string): Promise<Review | null> =>
  (await call<{ review: Review | null }>('POST', '/next', { reviewer })).body.review;
const act = (id: string, action: string, reviewer: string, note?: string) =>
  call<Review & { code?: string }>('POST', `/${id}`, { action, reviewer, ...(note !== undefined && { note }) });

describe('GET /v1/reviews', () => {
  it('lists what waits, oldest first and page by page, and nothing that a policy decided itself', async () => {
    const ids = await pending(3);
    await ledger.record(decision('block'), null, null, 'key-a');
    const first = await call<{ reviews: Review[]; next_cursor: string }>('GET', '?state=pending&limit=2');
    expect(first.body.reviews.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = await call<{ reviews: Review[] }>('GET', `?state=pending&limit=2&cursor=${first.body.next_cursor}`);
    expect(second.body).toMatchObject({
      reviews: [{ id: ids[2], state: 'pending', reviewer: null }],
      next_cursor: null,
    });
    expect(second.body.reviews[0]!.age_s).toBeGreaterThan(0);
  });
});

describe('claims', () => {
  it('give each of several people another one, at the same time', async () => {
    const ids = await pending(5);
    const people = ['ann', 'ben', 'cem', 'dov', 'eve', 'fay'];
    const claimed = await Promise.all(people.map(next));
    expect(claimed.flatMap((review) => (review === null ? [] : [review.id])).sort()).toEqual(ids);
    expect(claimed.filter((review) => review === null)).toHaveLength(1);
  });

  it('give the same person the one they hold again', async () => {
    await pending(2);
    const first = await next('ann');
    expect(await next('ann')).toMatchObject({ id: first!.id, reviewer: { key: 'anonymous', name: 'ann' } });
  });

  it('keep others out until they are released or have run out', async () => {
    const [id = ''] = await pending(1);
    await act(id, 'claim', 'ann');
    expect(await act(id, 'approve', 'ben')).toMatchObject({ status: 409, body: { code: 'conflict' } });
    await act(id, 'release', 'ann');
    expect(await next('ben')).toMatchObject({ id });
    await runInDurableObject(ledger, (_, { storage }) => {
      storage.sql.exec('UPDATE reviews SET claim_until = claim_until - ?', CLAIM_MS);
    });
    expect(await next('cem')).toMatchObject({ id, reviewer: { name: 'cem' } });
  });
});

describe('answers', () => {
  it('are recorded once, with who, when and why, and are labels of the image', async () => {
    const [id = ''] = await pending(1);
    const first = await act(id, 'approve', 'ann', 'a toy');
    expect(first).toMatchObject({
      status: 200,
      body: { state: 'approved', label: 'allow', note: 'a toy', reviewer: { name: 'ann' }, callback_event_id: null },
    });
    const { body: again } = await act(id, 'approve', 'ann', 'another note');
    expect(again).toEqual(first.body);
    expect(await act(id, 'reject', 'ann')).toMatchObject({ status: 409 });
    expect(await act(id, 'approve', 'ben')).toMatchObject({ status: 409 });
    const { body: labelled } = await call<{ reviews: Review[] }>('GET', '?state=approved');
    expect(labelled.reviews).toMatchObject([{ id, label: 'allow', decision: { image_sha256: 'a'.repeat(64) } }]);
    expect((await call<{ reviews: Review[] }>('GET', '?state=pending')).body.reviews).toEqual([]);
  });

  it('are refused for what is not there, and for what needs no review', async () => {
    const blocked = decision('block');
    await ledger.record(blocked, null, null, 'key-a');
    for (const id of [blocked.id, `dec_api_${'0'.repeat(32)}`, 'dec_none_x']) {
      expect(await act(id, 'approve', 'ann'), id).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    expect(await act(blocked.id, 'burn', 'ann')).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } });
  });

  it('go out once as moderation.reviewed, signed, with the metadata, to the receiver of the image', async () => {
    const shop = env.MODERATION_LEDGER.get(env.MODERATION_LEDGER.idFromName('shop'));
    const made = decision('review', 'shop');
    const eventId = made.id.replace('dec', 'evt');
    const sent: { id: string; body: string; headers: Record<string, string> }[] = [];
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = new Request(input, init);
      const headers = Object.fromEntries(request.headers);
      sent.push({ id: headers['webhook-id'] ?? '', body: await request.text(), headers });
      return new Response(null, { status: 204 });
    });
    const item = {
      eventId,
      reference: 'upload-17',
      image: { bucket: 'bit-edge-uploads', key: 'incoming/17.png', etag: null },
      policy: 'default',
      callbackUrl: RECEIVER_URL,
      metadata: '{"user":7}',
    };
    await shop.accept('shop', { id: `msg-${number}`, idIsSigned: true, bodySha256: String(number), items: [item] });
    await shop.decide(eventId, made);
    await shop.finish(eventId, []);
    await runDurableObjectAlarm(shop);
    await act(made.id, 'reject', 'ann');
    const { body: review } = await act(made.id, 'reject', 'ann');
    await runDurableObjectAlarm(shop);
    await vi.waitFor(async () => {
      expect(await shop.event(review.callback_event_id!)).toMatchObject({ state: 'delivered', attempts: 1 });
    });
    const reviewed = sent.filter(({ id }) => id === review.callback_event_id);
    expect(reviewed).toHaveLength(1);
    const payload = new Webhook(RECEIVER_SECRET).verify(reviewed[0]!.body, reviewed[0]!.headers);
    expect(payload).toMatchObject({
      type: 'moderation.reviewed',
      data: {
        event_id: eventId,
        id: 'upload-17',
        verdict: 'block',
        review: { reviewer: { key: 'anonymous', name: 'ann' } },
        decision: { id: made.id, verdict: 'review' },
        metadata: { user: 7 },
      },
    });
  });
});

describe('the image of a review', () => {
  it('is given while it waits, and where it was is forgotten with the answer', async () => {
    const png = Uint8Array.from(
      atob('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='),
      (c) => c.charCodeAt(0),
    );
    await env.UPLOADS.put('incoming/1.png', png);
    const made = decision();
    await ledger.record(made, null, { bucket: 'bit-edge-uploads', key: 'incoming/1.png', etag: null }, 'key-a');
    const response = await SELF.fetch(`http://localhost/v1/reviews/${made.id}/image`);
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(response.headers.get('content-security-policy')).toContain('sandbox');
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(png);
    await act(made.id, 'approve', 'ann');
    const gone = await SELF.fetch(`http://localhost/v1/reviews/${made.id}/image`);
    expect([gone.status, await gone.json()]).toEqual([404, expect.objectContaining({ code: 'object_not_found' })]);
  });
});
