/** The queue consumers, by the name of their queue in wrangler.toml. One line a queue. */
import { ConfigurationError } from './errors.ts';
import { consumeDeadJobs, consumeJobs } from './jobs/consumer.ts';
import { consumeDeadModeration, consumeModeration } from './moderation/consumer.ts';
import type { ModerationMessage } from './moderation/ledger/moderation-ledger.ts';
import { consumeR2Events } from './moderation/r2-events.ts';
import type { Services } from './services.ts';

/** Works through a batch of one queue. */
type Consumer = (batch: MessageBatch, services: Services, context: ExecutionContext) => Promise<void>;

const CONSUMERS: Readonly<Record<string, Consumer>> = {
  'bit-edge-moderation': (batch, { moderation }, context) =>
    consumeModeration(batch as MessageBatch<ModerationMessage>, moderation, (promise) => context.waitUntil(promise)),
  'bit-edge-moderation-dead': (batch, { moderation }) =>
    consumeDeadModeration(batch as MessageBatch<ModerationMessage>, moderation),
  'bit-edge-jobs': (batch, { jobServices }, context) =>
    consumeJobs(batch, jobServices, (promise) => context.waitUntil(promise)),
  'bit-edge-jobs-dead': (batch, { jobServices }) => consumeDeadJobs(batch, jobServices),
  'bit-edge-r2-events': (batch, { moderation }) => consumeR2Events(batch, moderation),
};

/**
 * Hands a batch to its queue's consumer.
 * @throws ConfigurationError where the queue is bound but not known; its messages stay in it.
 */
export function consumeQueue(batch: MessageBatch, services: Services, context: ExecutionContext): Promise<void> {
  const consumer = CONSUMERS[batch.queue];
  if (consumer === undefined) throw new ConfigurationError(`no consumer is known for queue "${batch.queue}"`);
  return consumer(batch, services, context);
}
