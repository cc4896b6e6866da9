import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../worker/bytes.ts';
import { AppError } from '../../../worker/errors.ts';
import { createUrlPolicy } from '../../../worker/fetch/url-policy.ts';
import { sourceOf } from '../../../worker/moderation/identifiers.ts';
import { MAX_ITEMS, parseWebhookBody } from '../../../worker/moderation/intake.ts';
import { callbackPayload, MAX_PAYLOAD_BYTES } from '../../../worker/moderation/ledger/payload.ts';
import { decodeCursor, encodeCursor, mergePages } from '../../../worker/moderation/pages.ts';
import { readModerationSettings } from '../../../worker/moderation/settings.ts';
import type { Decision } from '../../../worker/moderation/verdict-shapes.ts';
import { moderationBindings, RECEIVER_URL } from '../../support/moderation-bindings.ts';

const urlPolicy = createUrlPolicy();
const settings = readModerationSettings(moderationBindings, urlPolicy);
const [shop, hub] = settings.sources;

const parse = (body: unknown, source = shop!, messageId = 'msg') =>
  parseWebhookBody(
    utf8(typeof body === 'string' ? body : JSON.stringify(body)),
    messageId,
    source,
    settings,
    urlPolicy,
  );

async function failure(body: unknown): Promise<string> {
  try {
    await parse(body);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return `${error.code}: ${error.message}`;
  }
  return 'no error';
}

const item = { id: 'image-1', url: 'https://images.example.com/1.png' };

describe('webhook bodies', () => {
  it('take one item, a list, or either in the envelope of Standard Webhooks', async () => {
    const expected = {
      reference: 'image-1',
      image: { url: 'https://images.example.com/1.png' },
      policy: 'default',
      callbackUrl: RECEIVER_URL,
      metadata: null,
    };
    for (const body of [item, [item], { type: 'image.uploaded', timestamp: '2026-01-01T00:00:00Z', data: item }]) {
      expect(await parse(body)).toEqual([{ ...expected, eventId: expect.stringMatching(/^evt_shop_[0-9a-f]{32}$/) }]);
    }
    expect(await parse({ type: 'images.uploaded', data: [item, { ...item, id: '2' }] })).toHaveLength(2);
  });

  it('give the same event ids for the same message, others for another message, position or source', async () => {
    const ids = async (...args: Parameters<typeof parse>) => (await parse(...args)).map(({ eventId }) => eventId);
    const [first, second] = await ids([item, item]);
    expect(await ids([item, item])).toEqual([first, second]);
    expect(new Set([first, second, ...(await ids(item, shop, 'msg-2')), ...(await ids(item, hub))]).size).toBe(4);
    expect(sourceOf(first!)).toBe('shop');
    expect(sourceOf('evt_shop_12')).toBeNull();
  });

  it('take R2 keys below a configured prefix, policies, callbacks and metadata', async () => {
    const full = {
      id: '1',
      r2: 'incoming/a.png',
      policy: 'strict@2',
      callback_url: `${RECEIVER_URL}x`,
      metadata: { user: [1, null] },
    };
    expect(await parse(full)).toMatchObject([
      {
        image: { bucket: 'bit-edge-uploads', key: 'incoming/a.png', etag: null },
        policy: 'strict@2',
        callbackUrl: `${RECEIVER_URL}x`,
        metadata: '{"user":[1,null]}',
      },
    ]);
    expect((await parse(item, hub))[0]!.callbackUrl).toBeNull();
  });

  it.each([
    ['not json', /^invalid_body: the body is not JSON/],
    ['\u0000', /^invalid_body/],
    [null, /^invalid_body/],
    [[], /^invalid_body/],
    [{ id: '1' }, /^invalid_body: body: must name one of url and r2/],
    [{ ...item, r2: 'incoming/x' }, /^invalid_body: body: must name one of url and r2/],
    [{ ...item, id: '' }, /^invalid_body: id: /],
    [{ ...item, id: 'x'.repeat(257) }, /^invalid_body: id: /],
    [{ ...item, unknown: 1 }, /^invalid_body: .*unknown/],
    [[item, { ...item, id: 7 }], /^invalid_body: 1\.id: /],
    [{ ...item, url: 'https://127.0.0.1/' }, /^url_not_allowed: url: /],
    [{ ...item, url: 'http://images.example.com/' }, /^url_not_allowed: url: /],
    [[item, { ...item, callback_url: 'https://169.254.169.254/' }], /^url_not_allowed: 1\.callback_url: /],
    [
      { ...item, callback_url: 'https://evil.example.com/' },
      /^invalid_body: callback_url: source shop has no receiver/,
    ],
    [
      { ...item, callback_url: 'https://other.example.com/hooks' },
      /^invalid_body: callback_url: source shop has no receiver/,
    ],
    [{ id: '1', r2: 'private/a.png' }, /^invalid_body: r2: /],
    [{ id: '1', r2: { bucket: 'other', key: 'incoming/a' } }, /^invalid_body: r2: /],
    [{ ...item, policy: 'Bad Name' }, /^invalid_body: policy: /],
    [{ ...item, policy: '../secrets' }, /^invalid_body: policy: /],
    [{ ...item, metadata: 'x'.repeat(4095) }, /^invalid_body: metadata: 4097 bytes; limit 4096/],
    [Array.from({ length: MAX_ITEMS + 1 }, () => item), /^invalid_body/],
  ])('refuse %j', async (body, message) => {
    expect(await failure(body)).toMatch(message);
  });

  it('take metadata and lists at their limits', async () => {
    expect(await parse({ ...item, metadata: 'x'.repeat(4094) })).toHaveLength(1);
    expect(await parse(Array.from({ length: MAX_ITEMS }, () => item))).toHaveLength(MAX_ITEMS);
  });
});

describe('callback payload', () => {
  const decision = (categories: number, labelLength: number, action: 'allow' | 'block'): Decision => ({
    id: 'dec_shop_1',
    decided_at: '2026-01-02T03:04:05.000Z',
    verdict: action,
    reason: null,
    categories: Array.from({ length: categories }, (_, index) => ({
      name: `category-${String(index).padEnd(50, 'x')}`,
      score: 0.123456,
      threshold: 0.123456,
      action: index === 0 ? ('block' as const) : action,
      labels: Array.from({ length: 5 }, () => ({ label: 'ü'.repeat(labelLength), score: 0.123456 })),
    })),
    policy: { name: 'p', version: '1' },
    model: { name: 'm', version: '1' },
    image_sha256: 'a'.repeat(64),
  });
  const build = (each: Decision, metadata: string | null = null) =>
    callbackPayload({ eventId: 'evt_shop_1', reference: 'image-1', decision: each, effects: [], metadata });

  it('holds the whole decision where it fits', () => {
    const whole = decision(3, 20, 'allow');
    expect(JSON.parse(build(whole, '{"a":1}'))).toEqual({
      type: 'moderation.completed',
      timestamp: '2026-01-02T03:04:05.000Z',
      data: { event_id: 'evt_shop_1', id: 'image-1', decision: whole, metadata: { a: 1 } },
    });
  });

  it('is moderation.failed where the image could not be judged', () => {
    const failed = { ...decision(0, 0, 'allow'), error: { code: 'corrupt_image', message: 'broken' } };
    expect(JSON.parse(build(failed))).toMatchObject({ type: 'moderation.failed' });
  });

  it.each([
    ['labels', 50, 300, 'block'],
    ['labels', 50, 300, 'allow'],
  ] as const)('stays under 20 kB by leaving out %s first', (_, categories, labelLength, action) => {
    const text = build(decision(categories, labelLength, action), JSON.stringify('m'.repeat(4094)));
    expect(utf8(text).byteLength).toBeLessThan(MAX_PAYLOAD_BYTES);
    const { data } = JSON.parse(text);
    expect(data.truncated).toBe(true);
    expect(data.decision.categories[0]).toMatchObject({ action: 'block', labels: [] });
    expect(data.decision.categories).toHaveLength(categories);
  });
});

describe('pages', () => {
  const at = (timeMs: number, id: string) => ({ timeMs, id });

  it('merge lists by time and id, newest first, and say where the next begins', () => {
    const lists = [
      [at(3, 'a'), at(1, 'a')],
      [at(3, 'b'), at(2, 'a')],
    ];
    const page = mergePages(lists, 3, (entry) => entry);
    expect(page.items).toEqual([at(3, 'b'), at(3, 'a'), at(2, 'a')]);
    expect(decodeCursor(page.nextCursor!)).toEqual(at(2, 'a'));
    expect(mergePages(lists, 4, (entry) => entry).nextCursor).toBeNull();
    expect(mergePages([[], []], 4, (entry: never) => entry)).toEqual({ items: [], nextCursor: null });
  });

  it('refuse cursors that are not theirs', () => {
    expect(decodeCursor(encodeCursor(at(1_700_000_000_000, 'dec_shop_ab')))).toEqual(
      at(1_700_000_000_000, 'dec_shop_ab'),
    );
    for (const text of ['', '!', btoa('x.y'), btoa('1.'), btoa("1.a'; --"), 'AAAA']) {
      expect(() => decodeCursor(text)).toThrow(/no cursor of this list/);
    }
  });
});
