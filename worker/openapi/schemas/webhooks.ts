/** Webhooks, events and deliveries. */
import * as z from 'zod';
import { ATTEMPT_OUTCOMES } from '../../callbacks/delivery.ts';
import { MAX_ITEMS } from '../../moderation/intake.ts';
import {
  type EndpointSummary,
  EVENT_STATES,
  type EventLog,
  type EventSummary,
} from '../../moderation/ledger/records.ts';
import { count, nextCursor, time } from './common.ts';
import { action, decisionId, decisionSchema, eventId } from './moderation.ts';

/** `POST /v1/webhooks/images`. */
export const acceptedWebhookSchema = z.strictObject({
  message_id: z.string(),
  events: z
    .array(z.strictObject({ id: eventId, item_id: z.string() }))
    .min(1)
    .max(MAX_ITEMS),
});

const eventSummarySchema = z.strictObject({
  id: eventId,
  message_id: z.string(),
  item_id: z.string(),
  state: z.enum(EVENT_STATES),
  accepted_at: time,
  finished_at: time.nullable(),
  callback_url: z.string().nullable(),
  decision_id: decisionId.nullable(),
  verdict: action.nullable(),
  /** Why it is not decided. */
  failure: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  attempts: count,
  next_attempt_at: time.nullable(),
}) satisfies z.ZodType<EventSummary>;

/** `GET /v1/webhooks/events`. */
export const eventListSchema = z.strictObject({ events: z.array(eventSummarySchema), next_cursor: nextCursor });

const headers = z.record(z.string(), z.string());

/** `GET /v1/webhooks/events/{id}`: with its decision and every attempt to deliver it. */
export const eventSchema = z.strictObject({
  ...eventSummarySchema.shape,
  decision: decisionSchema.nullable(),
  /** The body of every attempt, its first 64 Ki characters; null until the event is decided. */
  payload: z.string().nullable(),
  attempt_log: z.array(
    z.strictObject({
      number: z.int().positive(),
      started_at: time,
      finished_at: time.nullable(),
      /** Null while it runs. */
      outcome: z.enum(ATTEMPT_OUTCOMES).nullable(),
      /** Null where there was no response. */
      status: z.int().min(100).max(599).nullable(),
      detail: z.string().nullable(),
      /** Signatures and other secrets are redacted. Null if nothing was sent. */
      request: z.strictObject({ headers }).nullable(),
      /** 24 headers and 2,048 characters of the body at most; null if no response came. */
      response: z.strictObject({ headers, body: z.string(), truncated: z.boolean() }).nullable(),
    }),
  ),
}) satisfies z.ZodType<EventLog>;

/** `POST /v1/webhooks/events/{id}/replay`. */
export const replayedEventSchema = z.strictObject({ id: eventId, status: z.literal('replayed') });

/** `POST /v1/webhooks/replay`: how many. */
export const replayedSchema = z.strictObject({ replayed: count });

/** `POST /v1/webhooks/rejudge`: how many. */
export const rejudgedSchema = z.strictObject({ rejudged: count });

/** `GET /v1/webhooks/stats`: events of every source by state; a state that no event is in is absent. */
export const statsSchema = z.strictObject({
  sources: z.record(z.string(), z.partialRecord(z.enum(EVENT_STATES), z.int().positive())),
});

const endpointSchema = z.strictObject({
  source: z.string(),
  url: z.string(),
  state: z.enum(['enabled', 'disabled']),
  disabled_at: time.nullable(),
  pending: count,
  delivered: count,
  dead: count,
  disabled: count,
}) satisfies z.ZodType<EndpointSummary>;

/** `GET /v1/webhooks/endpoints`. */
export const endpointListSchema = z.strictObject({ endpoints: z.array(endpointSchema) });

/** `POST /v1/webhooks/endpoints/enable`. */
export const enabledSchema = z.strictObject({ source: z.string(), url: z.string(), state: z.literal('enabled') });
