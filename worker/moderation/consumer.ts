/**
 * The queue consumer: an accepted event becomes a decision, its effects are carried out, its callback is begun. Every
 * step is recorded before the next, so that a message that comes again goes on where the last one stopped.
 */
import { sha256Hex } from '../../model-store/sha256.ts';
import { AppError, FetchError } from '../errors.ts';
import { isTransientFetch } from '../fetch/transient-failure.ts';
import { traceIdOf } from '../observability/trace.ts';
import { describeCause, isRetryable, toAppError } from '../problem.ts';
import { runEffects } from './effects.ts';
import { decisionIdOf } from './identifiers.ts';
import type { ModerationMessage } from './ledger/moderation-ledger.ts';
import type { EffectResult, EventWork } from './ledger/records.ts';
import type { ModerationService } from './service.ts';
import type { Decision } from './verdict-shapes.ts';

/** Failures to fetch an image after which it is given up. */
const MAX_FETCH_ATTEMPTS = 4;

/** Delay before a message is tried again: 10 s, doubling, an hour at most. */
const RETRY_BASE_SECONDS = 10;
export const MAX_RETRY_SECONDS = 3600;

/** Characters of a failure that the ledger keeps. */
const MAX_FAILURE_LENGTH = 300;

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
    await moderateEvent(message.body, service, waitUntil);
    message.ack();
  } catch (error) {
    logFailure('moderation_retried', message.body, error);
    const seconds = Math.min(RETRY_BASE_SECONDS * 2 ** (message.attempts - 1), MAX_RETRY_SECONDS);
    message.retry({ delaySeconds: Math.round(seconds * service.settings.retryScale) });
  }
}

/**
 * Ends events whose messages used up the queue's retries. What was decided is delivered. What was not is undecided, never judged
 * unseen: the model or the service failed, which says nothing about the image; `POST /v1/webhooks/rejudge` queues it again.
 */
export async function consumeDeadModeration(
  batch: MessageBatch<ModerationMessage>,
  service: ModerationService,
): Promise<void> {
  for (const message of batch.messages) {
    const { source, event } = message.body;
    try {
      const ledger = service.ledger(source);
      if (await ledger.abandon(event)) {
        console.error(JSON.stringify({ level: 'error', event: 'moderation_undecided', event_id: event }));
      } else await ledger.finish(event, []);
      message.ack();
    } catch (error) {
      logFailure('moderation_dead_retried', message.body, error);
      message.retry({ delaySeconds: MAX_RETRY_SECONDS * service.settings.retryScale });
    }
  }
}

async function moderateEvent(
  { source, event }: ModerationMessage,
  service: ModerationService,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<void> {
  const ledger = service.ledger(source);
  const work = await ledger.work(event);
  if (work === null || (work.state !== 'accepted' && work.state !== 'decided')) return;
  const decision = work.decision ?? (await ledger.decide(event, await decide(work, ledger, service, waitUntil)));
  if (decision === null) return;
  await ledger.finish(event, await effectsOf(decision, work, service));
  logDecision(decision, work);
}

/** @throws what is not about the image, and what may pass: then nothing is decided, and the ledger knows why. */
async function decide(
  work: EventWork,
  ledger: ReturnType<ModerationService['ledger']>,
  service: ModerationService,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<Decision> {
  const id = decisionIdOf(work.id);
  let hash: string | null = null;
  try {
    if (work.image === null) throw new FetchError('object_not_found', 'the event has no image');
    return await service.images.withImage(work.image, async (bytes) => {
      hash = await sha256Hex(bytes);
      return service.judge.judge(bytes, work.policy, id, waitUntil);
    });
  } catch (error) {
    const known = toAppError(error);
    const isTransient = isTransientFetch(error) && work.fetchFailures + 1 < MAX_FETCH_ATTEMPTS;
    if (!isRetryable(error) && !isTransient) return service.judge.giveUp(known, work.policy, id, hash);
    const failure = { code: known.code, message: known.message.slice(0, MAX_FAILURE_LENGTH) };
    await ledger.noteFailure(work.id, failure, isTransient);
    throw error;
  }
}

async function effectsOf(decision: Decision, work: EventWork, service: ModerationService): Promise<EffectResult[]> {
  if (decision.error !== undefined) return [];
  const policy = await service.policies.get({ name: decision.policy.name, reference: decision.policy.version });
  const effects = policy.effects[decision.verdict];
  if (effects.length === 0) return [];
  const image = work.image !== null && 'key' in work.image ? work.image : null;
  const bucket = image === null ? null : service.images.bucket(image.bucket);
  const { bindings } = service;
  return runEffects(effects, { decision, reference: work.reference, image, bucket, bindings });
}

function logDecision({ id, verdict, error }: Decision, work: EventWork): void {
  const trace = work.traceparent === null ? {} : { trace_id: traceIdOf(work.traceparent) };
  const failure = error === undefined ? {} : { code: error.code };
  const line = { event: 'moderation_decided', event_id: work.id, decision: id, verdict, ...failure, ...trace };
  console.log(JSON.stringify({ level: 'info', ...line }));
}

/** Ids and codes only: a message may hold a signed URL. */
function logFailure(event: string, message: ModerationMessage, thrown: unknown): void {
  const { code, message: reason } = toAppError(thrown);
  const cause = thrown instanceof AppError ? describeCause(thrown) : String(thrown);
  const line = { level: 'warn', event, event_id: message.event, code, reason: reason.slice(0, MAX_FAILURE_LENGTH) };
  console.error(JSON.stringify({ ...line, ...(cause === null ? {} : { cause }) }));
}
