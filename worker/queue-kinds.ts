/** What the queues of wrangler.toml are for. Pure: the command line and tests read it too. */

/** Every kind of queue that the worker consumes. */
export const QUEUE_KINDS = [
  'moderation',
  'moderation-dead',
  'jobs',
  'jobs-dead',
  'r2-events',
  'r2-events-dead',
] as const;

/** What a queue is for: the end of its name. */
export type QueueKind = (typeof QUEUE_KINDS)[number];

/**
 * What a queue is for. Environments put their own name in front: `bit-edge-jobs-dead`, `bit-edge-staging-jobs-dead`.
 * @returns null where no kind is the end of the name.
 */
export function queueKind(queue: string): QueueKind | null {
  return QUEUE_KINDS.find((kind) => queue.endsWith(`-${kind}`)) ?? null;
}
