/** Webhooks: `POST /v1/webhooks/images` takes them in; the other routes show and repeat their deliveries. */
import { type Context, Hono } from 'hono';
import * as z from 'zod';
import { sha256Hex } from '../../model-store/sha256.ts';
import { refuseContentEncoding } from '../body/content-encoding.ts';
import { ModerationError, RequestError } from '../errors.ts';
import { addressOf, requireScope } from '../middleware/require-scope.ts';
import { sourceOf } from '../moderation/identifiers.ts';
import { parseWebhookBody } from '../moderation/intake.ts';
import { EVENT_STATES } from '../moderation/ledger/records.ts';
import { decodeCursor, mergePages } from '../moderation/pages.ts';
import type { ModerationService } from '../moderation/service.ts';
import type { WebhookSource } from '../moderation/settings.ts';
import { verifyRequest } from '../moderation/signatures/verify-request.ts';
import type { AppEnvironment } from '../services.ts';
import { allSources, checkSource } from './moderate.ts';
import { readSmallJson, withBody } from './support/body-lease.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';
import { readBody } from './support/request-body.ts';

/** Largest webhook: 100 items with URLs and metadata. */
const MAX_WEBHOOK_BYTES = 1024 * 1024;

/** Ids of a webhook's events in its log line. */
const MAX_LOGGED_EVENTS = 10;

const integer = z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)], 'must be an integer');

/** `GET /v1/webhooks/events`: filters and page. */
export const eventsParametersSchema = z.strictObject({
  source: z.string().max(32).optional(),
  state: z.enum(EVENT_STATES).optional(),
  limit: integer.pipe(z.int().min(1).max(1000)).default(100),
  cursor: z.string().max(300).optional(),
});

/** `GET /v1/webhooks/stats` and `/endpoints`: of one source, or of all. */
export const sourceParametersSchema = z.strictObject({ source: z.string().max(32).optional() });

/** `POST /v1/webhooks/replay`: every dead or disabled delivery of a source. */
export const replayParametersSchema = z.strictObject({
  source: z.string().max(32),
  state: z.enum(['dead', 'disabled']),
});

/** `POST /v1/webhooks/rejudge`: every undecided event of a source. */
export const rejudgeParametersSchema = z.strictObject({ source: z.string().max(32) });

/** `POST /v1/webhooks/endpoints/enable`. */
export const enableParametersSchema = z.strictObject({ source: z.string().max(32), url: z.string().max(2048) });

export const webhooksRoute = new Hono<AppEnvironment>()
  // Deliveries prove themselves by signature; looking at them and sending them again takes a key.
  .on(
    ['GET', 'POST'],
    [
      '/v1/webhooks/events/*',
      '/v1/webhooks/replay',
      '/v1/webhooks/rejudge',
      '/v1/webhooks/stats',
      '/v1/webhooks/endpoints/*',
    ],
    requireScope('moderate'),
  )
  .post('/v1/webhooks/images', (c) => acceptWebhook(c, null))
  .post('/v1/webhooks/images/:source', (c) => acceptWebhook(c, c.req.param('source')))
  .get('/v1/webhooks/events', async (c) => {
    const { moderation } = c.var.services;
    const parameters = parseParameters(eventsParametersSchema, new URL(c.req.url).searchParams, {});
    const sources = namedSources(parameters.source, moderation);
    const before = parameters.cursor === undefined ? null : decodeCursor(parameters.cursor);
    const { limit, state = null } = parameters;
    const lists = await Promise.all(
      sources.map((source) => moderation.ledger(source).events(state, before, limit + 1)),
    );
    const page = mergePages(lists, limit, ({ accepted_at, id }) => ({ timeMs: Date.parse(accepted_at), id }));
    return c.json({ events: page.items, next_cursor: page.nextCursor });
  })
  .get('/v1/webhooks/events/:id', async (c) => {
    refuseParameters(c.req.url);
    const event = await ledgerOf(c.req.param('id'), c.var.services.moderation).event(c.req.param('id'));
    if (event === null) throw noEvent(c.req.param('id'));
    return c.json(event);
  })
  .post('/v1/webhooks/events/:id/replay', async (c) => {
    refuseParameters(c.req.url);
    const id = c.req.param('id');
    const ledger = ledgerOf(id, c.var.services.moderation);
    switch (await ledger.replay(id)) {
      case 'replayed':
        return c.json({ id, status: 'replayed' }, 202);
      case 'not_found':
        throw noEvent(id);
      case 'in_work':
        throw new RequestError('conflict', `event ${id} has not ended yet; there is nothing to replay`);
      case 'undecided':
        throw new RequestError('conflict', `event ${id} was never judged; POST /v1/webhooks/rejudge judges it`);
      case 'disabled':
        throw new RequestError('conflict', `the endpoint of event ${id} is disabled; enable it first`);
    }
  })
  .post('/v1/webhooks/replay', async (c) => {
    const { moderation } = c.var.services;
    const body = await readSmallJson(c);
    const { source, state } = parseParameters(replayParametersSchema, new URL(c.req.url).searchParams, body);
    checkSource(source, moderation);
    return c.json({ replayed: await moderation.ledger(source).replayAll(state) }, 202);
  })
  .post('/v1/webhooks/rejudge', async (c) => {
    const { moderation } = c.var.services;
    const body = await readSmallJson(c);
    const { source } = parseParameters(rejudgeParametersSchema, new URL(c.req.url).searchParams, body);
    checkSource(source, moderation);
    return c.json({ rejudged: await moderation.ledger(source).rejudge() }, 202);
  })
  .get('/v1/webhooks/stats', async (c) => {
    const { moderation } = c.var.services;
    const parameters = parseParameters(sourceParametersSchema, new URL(c.req.url).searchParams, {});
    const sources = namedSources(parameters.source, moderation);
    const counts = await Promise.all(
      sources.map(async (source) => [source, await moderation.ledger(source).counts()] as const),
    );
    return c.json({ sources: Object.fromEntries(counts) });
  })
  .get('/v1/webhooks/endpoints', async (c) => {
    const { moderation } = c.var.services;
    const parameters = parseParameters(sourceParametersSchema, new URL(c.req.url).searchParams, {});
    const sources = namedSources(parameters.source, moderation);
    const endpoints = await Promise.all(
      sources.map(async (source) =>
        (await moderation.ledger(source).endpoints()).map((endpoint) => ({ source, ...endpoint })),
      ),
    );
    return c.json({ endpoints: endpoints.flat() });
  })
  .post('/v1/webhooks/endpoints/enable', async (c) => {
    const { moderation } = c.var.services;
    const body = await readSmallJson(c);
    const { source, url } = parseParameters(enableParametersSchema, new URL(c.req.url).searchParams, body);
    checkSource(source, moderation);
    const enabled = await moderation.ledger(source).enable(url);
    if (!enabled) throw new RequestError('not_found', `source ${source} has no disabled endpoint of this URL`);
    return c.json({ source, url, state: 'enabled' });
  });

/** The signature is over the raw bytes, so they are read before anything looks into them. */
function acceptWebhook(c: Context<AppEnvironment>, sourceName: string | null): Promise<Response> {
  const { moderation } = c.var.services;
  refuseParameters(c.req.url);
  refuseContentEncoding(c.req.raw.headers);
  const source = findSource(sourceName, moderation);
  c.set('caller', addressOf(c));
  return withBody(c, { reference: null, maxBytes: MAX_WEBHOOK_BYTES }, async (memory) =>
    acceptSigned(c, await readBody(c.req.raw, memory), source),
  );
}

async function acceptSigned(
  c: Context<AppEnvironment>,
  body: Uint8Array<ArrayBuffer>,
  source: WebhookSource,
): Promise<Response> {
  const { moderation } = c.var.services;
  const { scheme, secrets, retired_secrets: retiredSecrets } = source;
  const verified = await verifyRequest(
    { headers: c.req.raw.headers, body, nowMs: moderation.now() },
    { scheme, secrets, retiredSecrets },
  );
  const items = await parseWebhookBody(body, verified.id, source, moderation.settings, moderation.urlPolicy);
  const { outcome, events } = await moderation.ledger(source.name).accept(source.name, {
    id: verified.id,
    idIsSigned: verified.idIsSigned,
    bodySha256: await sha256Hex(body),
    traceparent: c.var.traceparent,
    items,
  });
  if (outcome === 'replayed') {
    throw new ModerationError(
      'webhook_replayed',
      `message ${verified.id} was delivered before with another body or id`,
    );
  }
  c.var.record.events = events.slice(0, MAX_LOGGED_EVENTS).map(({ id }) => id);
  const answer = { message_id: verified.id, events: events.map(({ id, reference }) => ({ id, item_id: reference })) };
  return Response.json(answer, {
    status: 202,
    headers: outcome === 'duplicate' ? { 'webhook-duplicate': 'true' } : {},
  });
}

function findSource(name: string | null, { settings }: ModerationService): WebhookSource {
  if (name === null && settings.sources.length === 1) return settings.sources[0]!;
  const source = settings.sources.find((each) => each.name === name);
  if (source !== undefined) return source;
  const why =
    name === null ? 'name the source: /v1/webhooks/images/{source}' : `there is no source "${name.slice(0, 80)}"`;
  throw new ModerationError('unknown_secret', `there is no secret to verify this webhook with: ${why}`);
}

function namedSources(source: string | undefined, moderation: ModerationService): string[] {
  if (source === undefined) return allSources(moderation);
  checkSource(source, moderation);
  return [source];
}

function ledgerOf(id: string, moderation: ModerationService) {
  const source = sourceOf(id);
  if (source !== null && allSources(moderation).includes(source)) return moderation.ledger(source);
  throw noEvent(id);
}

function noEvent(id: string): RequestError {
  return new RequestError('not_found', `there is no event "${id.slice(0, 100)}"`);
}
