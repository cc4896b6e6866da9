/**
 * The queue that a bucket's event notifications go to: uploads are moderated by the rule of their prefix.
 * https://developers.cloudflare.com/r2/buckets/event-notifications/
 */
import * as z from 'zod';
import { sha256Hex } from '../../model-store/sha256.ts';
import { utf8 } from '../bytes.ts';
import { ModerationError } from '../errors.ts';
import { startTrace } from '../observability/trace.ts';
import { DECISION_METADATA } from './effects.ts';
import { eventId, sourceOf } from './identifiers.ts';
import type { DecisionRecord, IncomingMessage } from './ledger/records.ts';
import type { Effect } from './policy/schema.ts';
import type { ModerationService } from './service.ts';
import { findR2Rule } from './settings.ts';

/** Actions after which an object is new. */
const CREATE_ACTIONS: ReadonlySet<string> = new Set(['PutObject', 'CopyObject', 'CompleteMultipartUpload']);

const notificationSchema = z.object({
  account: z.string().optional(),
  action: z.string(),
  bucket: z.string(),
  object: z.object({ key: z.string(), size: z.number().optional(), eTag: z.string().optional() }),
  eventTime: z.string(),
});

/** A message of a bucket's event notifications, as documented. */
export type R2Notification = z.infer<typeof notificationSchema>;

/** Delay before a notification is tried again, in seconds. */
const RETRY_SECONDS = 30;

/** Takes in a batch of notifications. What is not about an upload under a rule is passed over. */
export async function consumeR2Events(
  batch: MessageBatch<unknown>,
  service: ModerationService,
  delaySeconds: number = RETRY_SECONDS,
): Promise<void> {
  for (const message of batch.messages) {
    const parsed = notificationSchema.safeParse(message.body);
    if (!parsed.success) {
      console.error(JSON.stringify({ level: 'warn', event: 'r2_notification_unreadable', id: message.id }));
      message.ack();
      continue;
    }
    try {
      await acceptNotification(parsed.data, service);
      message.ack();
    } catch (error) {
      const reason = String(error).slice(0, 300);
      console.error(JSON.stringify({ level: 'warn', event: 'r2_notification_retried', id: message.id, reason }));
      message.retry({ delaySeconds });
    }
  }
}

/** Delay before a notification that came to the dead-letter queue is tried again, in seconds. */
const DEAD_RETRY_SECONDS = 3600;

/**
 * Takes in notifications that failed for most of an hour. An upload without a verdict must not vanish, so they are tried
 * every hour for as long as the queue retries, and every try is logged as an error.
 */
export async function consumeDeadR2Events(batch: MessageBatch<unknown>, service: ModerationService): Promise<void> {
  for (const { id, attempts } of batch.messages) {
    console.error(JSON.stringify({ level: 'error', event: 'r2_notification_dead', id, attempts }));
  }
  await consumeR2Events(batch, service, DEAD_RETRY_SECONDS);
}

async function acceptNotification(notification: R2Notification, service: ModerationService): Promise<void> {
  const { settings } = service;
  const { bucket, action, eventTime } = notification;
  const { key, eTag } = notification.object;
  const rule = findR2Rule(settings, bucket, key);
  if (rule === null || !CREATE_ACTIONS.has(action) || (await isOurs(notification, service))) return;
  const messageId = await sha256Hex(utf8([bucket, key, eTag ?? '', eventTime].join('\n')));
  const receiver = settings.receivers.find(({ name }) => name === rule.receiver);
  const message: IncomingMessage = {
    id: messageId,
    idIsSigned: true,
    bodySha256: messageId,
    traceparent: startTrace(),
    items: [
      {
        eventId: await eventId(rule.name, messageId, 0),
        reference: key,
        image: { bucket, key, etag: eTag ?? null },
        policy: rule.policy,
        callbackUrl: receiver?.url ?? null,
        metadata: JSON.stringify({ bucket, key, ...(eTag === undefined ? {} : { etag: eTag }) }),
      },
    ],
  };
  await service.ledger(rule.name).accept(rule.name, message);
}

/**
 * True for an object that an effect has written: a decision, a tagged upload, a copy in quarantine. Without this each
 * would be an upload to moderate, for ever. The mark alone is not enough, since whoever uploads could forge or copy it:
 * the decision must be in our log, have led to this very key, and be about these very bytes.
 */
async function isOurs({ bucket, object }: R2Notification, service: ModerationService): Promise<boolean> {
  const stored = await service.images.bucket(bucket).get(object.key);
  if (stored === null) return false;
  const id = stored.customMetadata?.[DECISION_METADATA];
  const source = id === undefined ? null : sourceOf(id);
  const isKnown = source !== null && service.settings.r2_rules.some(({ name }) => name === source);
  const record = isKnown && id !== undefined ? await service.ledger(source).decision(id, null) : null;
  const kind = record === null ? null : await effectKind(record, object.key, service);
  if (record === null || kind === null) {
    await stored.body.cancel();
    return false;
  }
  const bytes = new Uint8Array(await stored.arrayBuffer());
  if (kind === 'write_decision') return isDecisionFile(bytes, record.decision.id);
  return (await sha256Hex(bytes)) === record.decision.image_sha256;
}

/** The effect by which a decision on an object led to this key; null where none did. */
async function effectKind(
  { decision, item_id }: DecisionRecord,
  key: string,
  { policies }: ModerationService,
): Promise<Effect['type'] | null> {
  const policy = await policies
    .get({ name: decision.policy.name, reference: decision.policy.version })
    .catch((error: unknown) => {
      if (error instanceof ModerationError) return null; // deleted since, so nothing says that the object is ours
      throw error;
    });
  if (policy === null) return null;
  for (const effect of policy.effects[decision.verdict]) {
    if (effect.type === 'tag' && key === item_id) return effect.type;
    if (effect.type === 'quarantine' && key === `${effect.prefix}${item_id}`) return effect.type;
    if (effect.type === 'write_decision' && key === `${item_id}${effect.suffix}`) return effect.type;
  }
  return null;
}

function isDecisionFile(bytes: Uint8Array, id: string): boolean {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as { decision?: { id?: unknown } } | null;
    return value?.decision?.id === id;
  } catch {
    return false;
  }
}
