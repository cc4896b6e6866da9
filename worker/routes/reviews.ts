/** `/v1/reviews`: people answer what a policy left open. One person at a time; the answer goes out as a signed callback. */
import { type Context, Hono } from 'hono';
import * as z from 'zod';
import { FetchError, RequestError } from '../errors.ts';
import { detectFormat } from '../imaging/format.ts';
import { requireScope } from '../middleware/require-scope.ts';
import { reviewEventId, sourceOf } from '../moderation/identifiers.ts';
import { REVIEW_ACTIONS, REVIEW_STATES, type Reviewer, type ReviewRecord } from '../moderation/ledger/records.ts';
import { decodeCursor, encodeCursor, mergePages } from '../moderation/pages.ts';
import type { ModerationService } from '../moderation/service.ts';
import type { AppEnvironment } from '../services.ts';
import { allSources, checkSource } from './moderate.ts';
import { readSmallJson } from './support/body-lease.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';

const integer = z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)], 'must be an integer');
const source = z.string().max(32).optional();
const reviewerName = z.string().min(1).max(64).optional();

/** `GET /v1/reviews`. */
export const reviewsParametersSchema = z.strictObject({
  source,
  /** Absent: all of them. */
  state: z.enum(REVIEW_STATES).optional(),
  limit: integer.pipe(z.int().min(1).max(1000)).default(100),
  cursor: z.string().max(300).optional(),
});

/** `POST /v1/reviews/next`. */
export const nextReviewSchema = z.strictObject({ source, reviewer: reviewerName });

/** `POST /v1/reviews/{id}`. */
export const reviewRequestSchema = z.strictObject({
  action: z.enum(REVIEW_ACTIONS),
  /** Who answers, beside the key that is used; default: the key alone. */
  reviewer: reviewerName,
  note: z.string().max(1000).optional(),
});

export const reviewsRoute = new Hono<AppEnvironment>()
  .use('/v1/reviews/*', requireScope('moderate'))
  .get('/v1/reviews', async (c) => {
    const { moderation } = c.var.services;
    const parameters = parseParameters(reviewsParametersSchema, new URL(c.req.url).searchParams, {});
    const sources = namedSources(parameters.source, moderation);
    const position = parameters.cursor === undefined ? null : decodeCursor(parameters.cursor);
    const { limit, state = null } = parameters;
    const lists = await Promise.all(
      sources.map((name) => moderation.ledger(name).reviews({ state }, position, limit + 1)),
    );
    const page = state === 'pending' ? oldestFirst(lists, limit) : mergePages(lists, limit, positionOf);
    return c.json({ reviews: page.items.map((each) => toEntry(each, moderation)), next_cursor: page.nextCursor });
  })
  .post('/v1/reviews/next', async (c) => {
    const { moderation } = c.var.services;
    const body = await readSmallJson(c);
    const parameters = parseParameters(nextReviewSchema, new URL(c.req.url).searchParams, body);
    const reviewer = reviewerOf(c, parameters.reviewer);
    for (const name of await longestWaiting(namedSources(parameters.source, moderation), moderation)) {
      const review = await moderation.ledger(name).claimReview(reviewer);
      if (review !== null) return c.json({ review: toEntry(review, moderation) });
    }
    return c.json({ review: null });
  })
  .get('/v1/reviews/:id', async (c) => {
    refuseParameters(c.req.url);
    const { moderation } = c.var.services;
    const id = c.req.param('id');
    const review = await ledgerOf(id, moderation).review(id);
    if (review === null) throw noReview(id);
    return c.json(toEntry(review, moderation));
  })
  .get('/v1/reviews/:id/image', async (c) => {
    refuseParameters(c.req.url);
    const { moderation } = c.var.services;
    const id = c.req.param('id');
    const location = await ledgerOf(id, moderation).reviewImage(id);
    if (location === null) {
      throw new FetchError(
        'object_not_found',
        `where the image of ${id} is is not known: it was sent along, or answered`,
      );
    }
    // The memory of what was fetched ends with this call, so the answer gets bytes of its own.
    const bytes = await moderation.images.withImage(location, (image) => Promise.resolve(image.slice()));
    c.header('content-security-policy', "default-src 'none'; sandbox");
    c.header('cache-control', 'no-store');
    return c.body(bytes, 200, { 'content-type': `image/${detectFormat(bytes)}` });
  })
  .post('/v1/reviews/:id', async (c) => {
    const { moderation } = c.var.services;
    const body = await readSmallJson(c);
    const { action, reviewer, note } = parseParameters(reviewRequestSchema, new URL(c.req.url).searchParams, body);
    const id = c.req.param('id');
    const ledger = ledgerOf(id, moderation);
    const callbackId = await reviewEventId(id);
    const result = await ledger.actOnReview(id, action, reviewerOf(c, reviewer), note ?? null, callbackId);
    switch (result.outcome) {
      case 'not_found':
        throw noReview(id);
      case 'claimed':
        throw new RequestError(
          'conflict',
          `review ${id} is held by someone else until ${result.review.claim_expires_at}`,
        );
      case 'decided':
        throw new RequestError('conflict', `review ${id} is ${result.review.state} already`);
      case 'done':
        return c.json(toEntry(result.review, moderation));
    }
  });

function reviewerOf(c: Context<AppEnvironment>, name: string | undefined): Reviewer {
  return { key: c.var.tenant ?? 'anonymous', name: name ?? null };
}

function namedSources(name: string | undefined, moderation: ModerationService): string[] {
  if (name === undefined) return allSources(moderation);
  checkSource(name, moderation);
  return [name];
}

/** Sources with something to review, the one whose oldest has waited longest first. */
async function longestWaiting(sources: readonly string[], moderation: ModerationService): Promise<string[]> {
  const oldest = await Promise.all(
    sources.map(async (name) => {
      const [first] = await moderation.ledger(name).reviews({ state: 'pending' }, null, 1);
      return { name, timeMs: first?.timeMs ?? Number.POSITIVE_INFINITY };
    }),
  );
  return oldest
    .filter(({ timeMs }) => timeMs !== Number.POSITIVE_INFINITY)
    .sort((a, b) => a.timeMs - b.timeMs)
    .map(({ name }) => name);
}

function oldestFirst(lists: readonly (readonly ReviewRecord[])[], limit: number) {
  const all = lists.flat().sort((a, b) => a.timeMs - b.timeMs || (a.decision.id < b.decision.id ? -1 : 1));
  const items = all.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: all.length > limit && last !== undefined ? encodeCursor(positionOf(last)) : null };
}

function positionOf({ timeMs, decision }: ReviewRecord) {
  return { timeMs, id: decision.id };
}

function ledgerOf(id: string, moderation: ModerationService) {
  const name = sourceOf(id);
  if (name !== null && allSources(moderation).includes(name)) return moderation.ledger(name);
  throw noReview(id);
}

function noReview(id: string): RequestError {
  return new RequestError('not_found', `there is no review "${id.slice(0, 100)}"`);
}

function toEntry({ decision, timeMs, ...review }: ReviewRecord, moderation: ModerationService) {
  const until = review.reviewed_at === null ? moderation.now() : Date.parse(review.reviewed_at);
  return {
    id: decision.id,
    source: sourceOf(decision.id),
    ...review,
    /** Label of the image for training: what the person said. */
    label: review.state === 'approved' ? 'allow' : review.state === 'rejected' ? 'block' : null,
    age_s: Math.max(0, Math.round((until - timeMs) / 1000)),
    decision,
  };
}
