/**
 * The queue consumer: an accepted event becomes a decision, its effects are carried out, its callback is begun. Every
 * step is recorded before the next, so that a message that comes again goes on where the last one stopped.
 */
import { sha256Hex } from '../../model-store/sha256.ts';
import { AppError, FetchError } from '../errors.ts';
import { runEffects } from './effects.ts';
import { decisionIdOf } from './identifiers.ts';
import { findBucket } from './image-source.ts';
import type { ModerationMessage } from './ledger/moderation-ledger.ts';
import type { EffectResult, EventWork } from './ledger/records.ts';
import type { ModerationService } from './service.ts';
import type { Decision } from './verdict-shapes.ts';

/** Deliveries of one message after which an image that cannot be fetched is given up. */
const MAX_FETCH_ATTEMPTS = 4;

/** Delay before a message is tried again: 10 s, doubling, an hour at most. */
const RETRY_BASE_SECONDS = 10;
const MAX_RETRY_SECONDS = 3600;

/** Codes that say nothing about the image: the same one may be judged later. */
const TEMPORARY_CODES: ReadonlySet<string> = new Set([
  'overloaded',
  'memory_budget_exceeded',
  'inference_failed',
  'not_ready',
  'model_unavailable',
]);

/** Images of a batch in work at once: one is judged (there is one WASM heap) while others are fetched and recorded. */
const LANES = 3;

/** Works through a batch. */
export async function consumeModeration(
  batch: MessageBatch<ModerationMessage>,
  service: ModerationService,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<void> {
  const messages = batch.messages.values();
  const lane = async (): Promise<void> => {
    for (const message of messages) await consumeMessage(message, service, waitUntil);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function consumeMessage(
  message: Message<ModerationMessage>,
  service: ModerationService,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<void> {
  try {
    await moderateEvent(message.body, message.attempts, service, waitUntil);
    message.ack();
  } catch (error) {
    logFailure('moderation_retried', message.body, error);
    const seconds = Math.min(RETRY_BASE_SECONDS * 2 ** (message.attempts - 1), MAX_RETRY_SECONDS);
    message.retry({ delaySeconds: Math.round(seconds * service.settings.retryScale) });
  }
}

/**
 * Ends events whose messages used up the queue's retries: with the verdict that the policy has for errors, so that the
 * sender hears of them.
 */
export async function consumeDeadModeration(
  batch: MessageBatch<ModerationMessage>,
  service: ModerationService,
): Promise<void> {
  for (const message of batch.messages) {
    try {
      const ledger = service.ledger(message.body.source);
      const work = await ledger.work(message.body.event);
      if (work !== null && work.state === 'accepted') {
        const error = new AppError('inference_failed', 'the image could not be judged in time; retries are used up');
        const decision = await service.judge.giveUp(error, work.policy, decisionIdOf(work.id), null);
        await ledger.decide(work.id, decision);
      }
      await ledger.finish(message.body.event, []);
      message.ack();
    } catch (error) {
      logFailure('moderation_dead_retried', message.body, error);
      message.retry({ delaySeconds: MAX_RETRY_SECONDS * service.settings.retryScale });
    }
  }
}

async function moderateEvent(
  { source, event }: ModerationMessage,
  attempts: number,
  service: ModerationService,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<void> {
  const ledger = service.ledger(source);
  const work = await ledger.work(event);
  if (work === null || (work.state !== 'accepted' && work.state !== 'decided')) return;
  const taken = work.decision ?? (await decide(work, attempts, service, waitUntil));
  const decision = work.decision ?? (await ledger.decide(event, taken));
  if (decision === null) return;
  await ledger.finish(event, await effectsOf(decision, work, service));
}

async function decide(
  work: EventWork,
  attempts: number,
  service: ModerationService,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<Decision> {
  const id = decisionIdOf(work.id);
  let hash: string | null = null;
  try {
    if (work.image === null) throw new FetchError('object_not_found', 'the event has no image');
    return await service.withImage(work.image, async (bytes) => {
      hash = await sha256Hex(bytes);
      return service.judge.judge(bytes, work.policy, id, waitUntil);
    });
  } catch (error) {
    if (!(error instanceof AppError) || isTemporary(error, attempts)) throw error;
    return service.judge.giveUp(error, work.policy, id, hash);
  }
}

/** Whether the same image may be judged later. */
function isTemporary(error: AppError, attempts: number): boolean {
  if (TEMPORARY_CODES.has(error.code)) return true;
  if (attempts >= MAX_FETCH_ATTEMPTS) return false;
  if (error.code === 'fetch_timeout') return true;
  if (error.code !== 'fetch_failed') return false;
  const { reason, status } = error.details;
  if (reason === 'network' || reason === 'unresolved') return true;
  return typeof status === 'number' && (status >= 500 || status === 429 || status === 408);
}

async function effectsOf(decision: Decision, work: EventWork, service: ModerationService): Promise<EffectResult[]> {
  if (decision.error !== undefined) return [];
  const policy = await service.policies.get({ name: decision.policy.name, reference: decision.policy.version });
  const effects = policy.effects[decision.verdict];
  if (effects.length === 0) return [];
  const image = work.image !== null && 'key' in work.image ? work.image : null;
  const bucket = image === null ? null : findBucket(image.bucket, service.images);
  const { bindings } = service;
  return runEffects(effects, { decision, reference: work.reference, image, bucket, bindings });
}

/** Ids and codes only: a message may hold a signed URL. */
function logFailure(event: string, message: ModerationMessage, error: unknown): void {
  const code = error instanceof AppError ? error.code : 'internal_error';
  const reason = error instanceof AppError ? error.message : String(error);
  console.error(JSON.stringify({ level: 'warn', event, id: message.event, code, reason: reason.slice(0, 300) }));
}
