/** The queue consumers, by the kind of their queue. One line a queue. */
import { ConfigurationError } from './errors.ts';
import { consumeDeadJobs, consumeJobs } from './jobs/consumer.ts';
import { consumeDeadModeration, consumeModeration } from './moderation/consumer.ts';
import type { ModerationMessage } from './moderation/ledger/moderation-ledger.ts';
import { consumeDeadR2Events, consumeR2Events } from './moderation/r2-events.ts';
import type { Metrics } from './observability/metrics.ts';
import { type QueueKind, queueKind } from './queue-kinds.ts';
import type { Services } from './services.ts';

/** Works through a batch of one queue. */
type Consumer = (batch: MessageBatch, services: Services, context: ExecutionContext) => Promise<void>;

const CONSUMERS: Readonly<Record<QueueKind, Consumer>> = {
  moderation: (batch, { moderation }, context) =>
    consumeModeration(batch as MessageBatch<ModerationMessage>, moderation, (promise) => context.waitUntil(promise)),
  'moderation-dead': (batch, { moderation }) =>
    consumeDeadModeration(batch as MessageBatch<ModerationMessage>, moderation),
  jobs: (batch, { jobServices }, context) => consumeJobs(batch, jobServices, (promise) => context.waitUntil(promise)),
  'jobs-dead': (batch, { jobServices }) => consumeDeadJobs(batch, jobServices),
  'r2-events': (batch, { moderation }) => consumeR2Events(batch, moderation),
  'r2-events-dead': (batch, { moderation }) => consumeDeadR2Events(batch, moderation),
};

/**
 * Hands a batch to its queue's consumer.
 * @throws ConfigurationError where the queue is bound but not known; its messages stay in it.
 */
export function consumeQueue(batch: MessageBatch, services: Services, context: ExecutionContext): Promise<void> {
  const kind = queueKind(batch.queue);
  if (kind === null) throw new ConfigurationError(`no consumer is known for queue "${batch.queue}"`);
  countMessages(kind, batch, services.metrics);
  return CONSUMERS[kind](batch, services, context);
}

/** How long messages waited since they were sent, retries included, and how many the queues gave up. */
function countMessages(queue: QueueKind, { messages }: MessageBatch, metrics: Metrics): void {
  const help = 'Time from sending a message to this delivery of it.';
  for (const { timestamp } of messages) {
    const seconds = Math.max(0, Date.now() - timestamp.getTime()) / 1000;
    metrics.observe('bit_edge_queue_message_age_seconds', help, { queue }, seconds, 'long');
  }
  if (!queue.endsWith('-dead')) return;
  metrics.count(
    'bit_edge_dead_letters_total',
    'Messages that came to a dead-letter queue.',
    { queue },
    messages.length,
  );
}
