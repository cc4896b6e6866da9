/** What goes in and out of a ledger. Plain data: it crosses the border of a Durable Object. */
import type { AttemptOutcome } from '../../callbacks/delivery.ts';
import type { Exchange } from '../../callbacks/exchange.ts';
import type { ImageLocation } from '../../images/image-location.ts';
import type { Traceparent } from '../../observability/trace.ts';
import type { Action } from '../policy/schema.ts';
import type { Decision } from '../verdict-shapes.ts';

/** One image of an accepted message. */
export interface IncomingItem {
  readonly eventId: string;
  /** The sender's id of the image. */
  readonly reference: string;
  readonly image: ImageLocation;
  /** `name` or `name@version`. */
  readonly policy: string;
  /** Null: nobody is called back; the decision is in the log. */
  readonly callbackUrl: string | null;
  /** JSON of what the sender wants back; null where there is nothing. */
  readonly metadata: string | null;
}

/** A verified message. */
export interface IncomingMessage {
  readonly id: string;
  readonly idIsSigned: boolean;
  readonly bodySha256: string;
  /** Of the request that it came with. */
  readonly traceparent?: Traceparent;
  readonly items: readonly IncomingItem[];
}

/** What became of a message: `duplicate` did no work; `replayed` is another body under a known id, or the reverse. */
export interface Acceptance {
  readonly outcome: 'accepted' | 'duplicate' | 'replayed';
  readonly events: readonly { readonly id: string; readonly reference: string }[];
}

/**
 * `accepted` and `decided`: in work. `pending`: the callback is still to be delivered. The others are final:
 * `delivered`, `dead` (the schedule is used up), `disabled` (the receiver said 410), `unaddressed` (nobody to call),
 * `undecided` (never judged, because the model or the service failed until retries were used up; it can be judged again).
 */
export const EVENT_STATES = [
  'accepted',
  'decided',
  'pending',
  'delivered',
  'dead',
  'disabled',
  'unaddressed',
  'undecided',
] as const;
export type EventState = (typeof EVENT_STATES)[number];

/** What the consumer needs to work on an event. */
export interface EventWork {
  readonly id: string;
  readonly state: EventState;
  readonly image: ImageLocation | null;
  readonly policy: string;
  readonly reference: string;
  /** Null until it is decided. */
  readonly decision: Decision | null;
  /** How often its image could not be fetched, since it was queued by the sender or to be judged again. */
  readonly fetchFailures: number;
  /** Null for events of earlier releases. */
  readonly traceparent: Traceparent | null;
}

/** Why an event could not be judged the last time that was tried. */
export interface JudgementFailure {
  readonly code: string;
  readonly message: string;
}

/** What came of one effect of a policy. */
export interface EffectResult {
  readonly type: string;
  readonly status: 'done' | 'failed';
  /** Where the object or the decision went. */
  readonly key?: string;
  readonly message?: string;
}

/** One attempt to deliver a callback. */
export interface AttemptRecord {
  readonly number: number;
  /** RFC 3339. */
  readonly started_at: string;
  readonly finished_at: string | null;
  /** Null while it runs. */
  readonly outcome: AttemptOutcome | null;
  readonly status: number | null;
  readonly detail: string | null;
  /** Null if nothing was sent, while it runs, and for attempts of earlier releases. */
  readonly request: Exchange['request'] | null;
  readonly response: Exchange['response'];
}

/** An event as the log shows it. */
export interface EventSummary {
  readonly id: string;
  readonly message_id: string;
  readonly item_id: string;
  readonly state: EventState;
  readonly accepted_at: string;
  readonly finished_at: string | null;
  readonly callback_url: string | null;
  readonly decision_id: string | null;
  readonly verdict: Action | null;
  /** Why it is not decided yet, or was not; null while nothing has failed, and once it is decided. */
  readonly failure: JudgementFailure | null;
  readonly attempts: number;
  /** Null where nothing more will be tried. */
  readonly next_attempt_at: string | null;
}

/** An event with its decision and the history of its delivery. */
export interface EventLog extends EventSummary {
  readonly decision: Decision | null;
  /** The body that is sent, the same in every attempt, as far as it is shown; null until it is decided. */
  readonly payload: string | null;
  readonly attempt_log: readonly AttemptRecord[];
}

/** A callback URL as the log shows it. */
export interface EndpointSummary {
  readonly url: string;
  readonly state: 'enabled' | 'disabled';
  readonly disabled_at: string | null;
  readonly pending: number;
  readonly delivered: number;
  readonly dead: number;
  readonly disabled: number;
}

/** A position in a list that is ordered by time and id, newest first. */
export interface ListPosition {
  readonly timeMs: number;
  readonly id: string;
}

/** What a list of decisions is narrowed to. */
export interface DecisionFilter {
  readonly verdict?: Action;
  /** Name of the policy, any version. */
  readonly policy?: string;
  readonly reference?: string;
  readonly imageSha256?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Only decisions that this key asked for. */
  readonly tenant?: string;
}

/** A decision in the log, with whose image it was about. */
export interface DecisionRecord {
  readonly decision: Decision;
  readonly item_id: string | null;
  readonly event_id: string | null;
  readonly timeMs: number;
}

/** Where a review is. */
export const REVIEW_STATES = ['pending', 'approved', 'rejected'] as const;
export type ReviewState = (typeof REVIEW_STATES)[number];

/** What a reviewer may do. A claim holds for five minutes. */
export const REVIEW_ACTIONS = ['claim', 'release', 'approve', 'reject'] as const;
export type ReviewAction = (typeof REVIEW_ACTIONS)[number];

/** Who reviews: the API key that is used, and the name that was given with it. */
export interface Reviewer {
  readonly key: string;
  readonly name: string | null;
}

/** What a list of reviews is narrowed to. */
export interface ReviewFilter {
  readonly state: ReviewState | null;
}

/** A decision that a person is asked about, and what they said. */
export interface ReviewRecord extends DecisionRecord {
  readonly state: ReviewState;
  /** Who holds it now, or who answered. */
  readonly reviewer: Reviewer | null;
  /** Null where nobody holds it. */
  readonly claim_expires_at: string | null;
  readonly reviewed_at: string | null;
  readonly note: string | null;
  /** The event whose delivery carries the answer to the sender; null where nobody is called back. */
  readonly callback_event_id: string | null;
  /** Whether its image can still be read. */
  readonly has_image: boolean;
}

/** What came of an action: `claimed` by, or `decided` by, someone else. */
export type ReviewOutcome =
  | { readonly outcome: 'not_found' }
  | { readonly outcome: 'done' | 'claimed' | 'decided'; readonly review: ReviewRecord };
