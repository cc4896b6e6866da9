/** Effects on objects and services: each can be done twice, and one that fails does not keep the others from running. */
import { env } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { type EffectContext, runEffects } from '../../../worker/moderation/effects.ts';
import type { Effect } from '../../../worker/moderation/policy/schema.ts';
import type { Decision } from '../../../worker/moderation/verdict-shapes.ts';

const KEY = 'incoming/a.png';
const decision: Decision = {
  id: 'dec_uploads_00000000000000000000000000000001',
  decided_at: '2026-01-02T03:04:05.000Z',
  verdict: 'block',
  reason: 'weapons',
  categories: [],
  policy: { name: 'p', version: '1' },
  model: { name: 'm', version: '1' },
  image_sha256: 'a'.repeat(64),
};

let calls: { url: string; key: string | null; body: unknown }[];
let status: number;
let context: EffectContext;

beforeEach(async () => {
  calls = [];
  status = 200;
  const { objects } = await env.UPLOADS.list();
  await env.UPLOADS.delete(objects.map(({ key }) => key));
  const { etag } = await env.UPLOADS.put(KEY, 'image', { customMetadata: { owner: 'me' } });
  const hook = {
    async fetch(url: string, init: { headers: Record<string, string>; body: string }) {
      calls.push({ url, key: new Headers(init.headers).get('idempotency-key'), body: JSON.parse(init.body) });
      return new Response(null, { status });
    },
  };
  context = {
    decision,
    reference: KEY,
    image: { bucket: 'bit-edge-uploads', key: KEY, etag },
    bucket: env.UPLOADS,
    bindings: { HOOK: hook, NOT_A_SERVICE: 'text' },
  };
});

const quarantine: Effect = { type: 'quarantine', prefix: 'quarantine/' };
const tag: Effect = { type: 'tag' };
const write: Effect = { type: 'write_decision', suffix: '.moderation.json' };
const service = (binding: string): Effect => ({ type: 'service', binding });

async function keys(): Promise<string[]> {
  return (await env.UPLOADS.list()).objects.map(({ key }) => key);
}

describe('effects', () => {
  it('move the object last, and do the same when they are done again', async () => {
    const first = await runEffects([quarantine, tag, write], context);
    expect(first).toEqual([
      { type: 'tag', status: 'done', key: KEY },
      { type: 'write_decision', status: 'done', key: `${KEY}.moderation.json` },
      { type: 'quarantine', status: 'done', key: `quarantine/${KEY}` },
    ]);
    expect(await keys()).toEqual([`${KEY}.moderation.json`, `quarantine/${KEY}`]);
    const again = await runEffects([quarantine, write], context);
    expect(again.map((result) => result.status)).toEqual(['done', 'done']);
    expect(await keys()).toEqual([`${KEY}.moderation.json`, `quarantine/${KEY}`]);
    const moved = (await env.UPLOADS.get(`quarantine/${KEY}`))!;
    expect(await moved.text()).toBe('image');
    expect(moved.customMetadata).toEqual({
      owner: 'me',
      'bit-edge-verdict': 'block',
      'bit-edge-decision': decision.id,
    });
  });

  it('tag once', async () => {
    await runEffects([tag], context);
    const uploaded = (await env.UPLOADS.head(KEY))!.uploaded;
    await runEffects([tag], context);
    expect((await env.UPLOADS.head(KEY))!.uploaded).toEqual(uploaded);
  });

  it('leave an object alone that was overwritten since it was judged', async () => {
    await env.UPLOADS.put(KEY, 'another image');
    const results = await runEffects([quarantine, tag], context);
    expect(results).toMatchObject([
      { type: 'tag', status: 'failed', message: expect.stringContaining('overwritten') },
      { type: 'quarantine', status: 'failed', message: expect.stringContaining('overwritten') },
    ]);
    expect(await (await env.UPLOADS.get(KEY))!.text()).toBe('another image');
    expect(await keys()).toEqual([KEY]);
  });

  it('report an object that is gone, and go on', async () => {
    await env.UPLOADS.delete(KEY);
    expect(await runEffects([quarantine, tag, write], context)).toMatchObject([
      { type: 'tag', status: 'failed' },
      { type: 'write_decision', status: 'done' },
      { type: 'quarantine', status: 'failed' },
    ]);
  });

  it('tell a bound service, with the decision as idempotency key', async () => {
    expect(await runEffects([service('HOOK')], context)).toEqual([{ type: 'service', status: 'done' }]);
    expect(calls).toEqual([
      { url: 'https://moderation.internal/decisions', key: decision.id, body: { id: KEY, decision } },
    ]);
    status = 500;
    expect(await runEffects([service('HOOK'), write], context)).toMatchObject([
      { type: 'service', status: 'failed', message: expect.stringContaining('500') },
      { type: 'write_decision', status: 'done' },
    ]);
  });

  it.each(['MISSING', 'NOT_A_SERVICE', 'MODERATION_LEDGER'])('report that %s is no service binding', async (name) => {
    const bindings = { ...context.bindings, MODERATION_LEDGER: env.MODERATION_LEDGER };
    expect(await runEffects([service(name)], { ...context, bindings })).toMatchObject([
      { status: 'failed', message: expect.stringContaining(`no service binding "${name}"`) },
    ]);
  });

  it('on objects do not apply to an image that came by URL', async () => {
    const byUrl = { ...context, image: null, bucket: null };
    expect(await runEffects([quarantine, tag, write, service('HOOK')], byUrl)).toEqual([
      { type: 'service', status: 'done' },
    ]);
    expect(await keys()).toEqual([KEY]);
  });
});
