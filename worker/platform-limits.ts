/** Limits of the platform, each with its source. test/worker/platform-limits.test.ts holds what the code makes at most against them. */

/** Bytes of a row of a Durable Object's SQLite. https://developers.cloudflare.com/durable-objects/platform/limits/ */
export const MAX_ROW_BYTES = 2_000_000;

/** Wall time of an alarm, in ms. https://developers.cloudflare.com/durable-objects/platform/limits/ */
export const MAX_ALARM_MS = 15 * 60_000;

/** Bytes of a queue message, and of a `sendBatch`. https://developers.cloudflare.com/queues/platform/limits/ */
export const MAX_MESSAGE_BYTES = 128_000;
export const MAX_BATCH_BYTES = 256_000;

/** Messages of a `sendBatch`, and of a delivery. https://developers.cloudflare.com/queues/platform/limits/ */
export const MAX_BATCH_MESSAGES = 100;

/** Longest delay of a message, in seconds. https://developers.cloudflare.com/queues/platform/limits/ */
export const MAX_MESSAGE_DELAY_SECONDS = 24 * 3600;

/**
 * Subrequests of one invocation: fetches, and calls of R2, queues and Durable Objects. On the free plan 50, which a chunk of a bulk
 * job exceeds. https://developers.cloudflare.com/workers/platform/limits/#subrequests
 */
export const MAX_SUBREQUESTS = 10_000;
export const MAX_SUBREQUESTS_FREE = 50;
