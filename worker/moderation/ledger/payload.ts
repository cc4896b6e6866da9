/** The body of a callback. Pure. */
import type { Decision } from '../verdict-shapes.ts';
import type { EffectResult, Reviewer } from './records.ts';

/** Standard Webhooks asks senders to stay under 20 kB. */
export const MAX_PAYLOAD_BYTES = 20_000;

/** Most bytes of metadata that an item may carry, so that a payload always fits. */
export const MAX_METADATA_BYTES = 4096;

/** What a callback tells. */
export interface CallbackContent {
  readonly eventId: string;
  /** The sender's id of the image. */
  readonly reference: string;
  readonly decision: Decision;
  readonly effects: readonly EffectResult[];
  /** JSON, given back as it came; null where there was none. */
  readonly metadata: string | null;
}

/**
 * Builds a callback's body, `moderation.completed`, or `moderation.failed` where the image could not be judged.
 * Where it would be too long, labels go first, then the categories that allow; `truncated` says so.
 * @returns JSON of less than `MAX_PAYLOAD_BYTES` UTF-8 bytes.
 */
export function callbackPayload(content: CallbackContent): string {
  const { decision } = content;
  const reductions: (() => Decision)[] = [
    () => decision,
    () => withoutLabels(decision),
    () => ({ ...withoutLabels(decision), categories: withoutLabels(decision).categories.filter(isNotAllowed) }),
  ];
  let text = '';
  for (const [step, reduce] of reductions.entries()) {
    text = serialize(content, reduce(), step > 0);
    if (new TextEncoder().encode(text).byteLength < MAX_PAYLOAD_BYTES) break;
  }
  return text;
}

/** What the callback of a review tells. */
export interface ReviewContent {
  /** Of the image's own event. */
  readonly eventId: string;
  readonly reference: string;
  readonly decision: Decision;
  readonly action: 'approve' | 'reject';
  readonly reviewer: Reviewer;
  readonly note: string | null;
  /** RFC 3339. */
  readonly reviewedAt: string;
  /** As it came in; undefined where there was none. */
  readonly metadata: unknown;
}

/**
 * Builds the body of `moderation.reviewed`: `verdict` is what the person said, `decision` what the policy had said, without labels.
 * @returns JSON of less than `MAX_PAYLOAD_BYTES` UTF-8 bytes.
 */
export function reviewPayload(content: ReviewContent): string {
  const { eventId, reference, decision, action, reviewer, note, reviewedAt, metadata } = content;
  const short = withoutLabels(decision);
  const body = (shown: Decision) =>
    JSON.stringify({
      type: 'moderation.reviewed',
      timestamp: reviewedAt,
      data: {
        event_id: eventId,
        id: reference,
        verdict: action === 'approve' ? 'allow' : 'block',
        review: { reviewer, reviewed_at: reviewedAt, note },
        decision: shown,
        ...(metadata === undefined ? {} : { metadata }),
      },
    });
  const text = body(short);
  if (new TextEncoder().encode(text).byteLength < MAX_PAYLOAD_BYTES) return text;
  return body({ ...short, categories: short.categories.filter(isNotAllowed) });
}

function serialize(content: CallbackContent, decision: Decision, truncated: boolean): string {
  return JSON.stringify({
    type: decision.error === undefined ? 'moderation.completed' : 'moderation.failed',
    timestamp: decision.decided_at,
    data: {
      event_id: content.eventId,
      id: content.reference,
      decision,
      ...(content.effects.length === 0 ? {} : { effects: content.effects }),
      ...(content.metadata === null ? {} : { metadata: JSON.parse(content.metadata) as unknown }),
      ...(truncated ? { truncated } : {}),
    },
  });
}

function withoutLabels(decision: Decision): Decision {
  return { ...decision, categories: decision.categories.map((category) => ({ ...category, labels: [] })) };
}

function isNotAllowed({ action }: { readonly action: string }): boolean {
  return action !== 'allow';
}
