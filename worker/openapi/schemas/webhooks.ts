/** Webhooks, events and deliveries. */
import * as z from 'zod';
import { count } from './common.ts';

/** `GET /v1/webhooks/events/{id}`. */
export const eventSchema = z.looseObject({ id: z.string(), state: z.string(), accepted_at: z.string() });

/** `GET /v1/webhooks/events`. */
export const eventListSchema = z.strictObject({ events: z.array(eventSchema), next_cursor: z.string().nullable() });

/** `GET /v1/webhooks/endpoints`. */
export const endpointListSchema = z.strictObject({
  endpoints: z.array(z.looseObject({ source: z.string(), url: z.string(), state: z.string() })),
});

/** `GET /v1/webhooks/stats`. */
export const statsSchema = z.strictObject({ sources: z.record(z.string(), z.looseObject({})) });

/** `POST /v1/webhooks/images`. */
export const acceptedWebhookSchema = z.strictObject({
  message_id: z.string(),
  events: z.array(z.strictObject({ id: z.string(), item_id: z.string() })),
});

/** `POST /v1/webhooks/events/{id}/replay`. */
export const replayedEventSchema = z.strictObject({ id: z.string(), status: z.literal('replayed') });

/** `POST /v1/webhooks/replay`. */
export const replayedSchema = z.strictObject({ replayed: count });

/** `POST /v1/webhooks/endpoints/enable`. */
export const enabledSchema = z.strictObject({ source: z.string(), url: z.string(), state: z.literal('enabled') });
