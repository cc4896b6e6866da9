/**
 * Reviews: what a person says about images whose verdict is `review`. Every change is one transaction, so that two people never
 * hold the same one. SQL only; the time is passed in.
 */
import type { ImageLocation } from '../../images/image-location.ts';
import type { Decision } from '../verdict-shapes.ts';
import { reviewPayload } from './payload.ts';
import type {
  DecisionRecord,
  ListPosition,
  ReviewAction,
  Reviewer,
  ReviewFilter,
  ReviewOutcome,
  ReviewRecord,
} from './records.ts';

/** How long a claim holds without an answer, in ms. */
export const CLAIM_MS = 5 * 60_000;

type ReviewRow = {
  decided_at: number;
  reference: string | null;
  event_id: string | null;
  body: string;
  state: ReviewRecord['state'] | null;
  image: string | null;
  key_id: string | null;
  name: string | null;
  claim_until: number | null;
  reviewed_at: number | null;
  note: string | null;
  callback_id: string | null;
};

const SELECT = `SELECT d.decided_at, d.reference, d.event_id, d.body, r.state, r.image, r.key_id, r.name, r.claim_until,
  r.reviewed_at, r.note, r.callback_id FROM decisions d LEFT JOIN reviews r ON r.decision_id = d.id`;
const IS_PENDING = "d.verdict = 'review' AND COALESCE(r.state, 'pending') = 'pending'";

/** Reviews of one ledger. */
export class ReviewStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  get #sql(): SqlStorage {
    return this.#storage.sql;
  }

  /** Keeps where the image of a decision is, until a person has answered; the event itself forgets it. */
  keepImage(decision: Decision, image: ImageLocation | null): void {
    if (decision.verdict !== 'review' || image === null) return;
    this.#sql.exec(
      "INSERT INTO reviews (decision_id, state, image) VALUES (?, 'pending', ?) ON CONFLICT (decision_id) DO NOTHING",
      decision.id,
      JSON.stringify(image),
    );
  }

  /** Pending ones oldest first, as they wait; others newest first. @param position Where the page begins. */
  list({ state }: ReviewFilter, position: ListPosition | null, limit: number, nowMs: number): ReviewRecord[] {
    const values: (string | number)[] = [];
    const conditions = ["d.verdict = 'review'"];
    if (state !== null) {
      conditions.push("COALESCE(r.state, 'pending') = ?");
      values.push(state);
    }
    const ascending = state === 'pending';
    if (position !== null) {
      conditions.push(`(d.decided_at, d.id) ${ascending ? '>' : '<'} (?, ?)`);
      values.push(position.timeMs, position.id);
    }
    const order = ascending ? 'd.decided_at, d.id' : 'd.decided_at DESC, d.id DESC';
    return this.#sql
      .exec<ReviewRow>(`${SELECT} WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ?`, ...values, limit)
      .toArray()
      .map((row) => toReview(row, nowMs));
  }

  /** One review; null where there is no such decision, or nothing to review about it. */
  find(id: string, nowMs: number): ReviewRecord | null {
    const rows = this.#sql.exec<ReviewRow>(`${SELECT} WHERE d.id = ? AND d.verdict = 'review'`, id).toArray();
    return rows[0] === undefined ? null : toReview(rows[0], nowMs);
  }

  /** Where its image is; null where nobody knows (any more). */
  image(id: string): ImageLocation | null {
    const [row] = this.#sql
      .exec<{ image: string | null }>('SELECT image FROM reviews WHERE decision_id = ?', id)
      .toArray();
    return row?.image == null ? null : (JSON.parse(row.image) as ImageLocation);
  }

  /** Claims the one that this reviewer holds already, or the oldest that nobody holds; null where there is none. */
  claimNext(reviewer: Reviewer, nowMs: number): ReviewRecord | null {
    return this.#storage.transactionSync((): ReviewRecord | null => {
      const [row] = this.#sql
        .exec<{ id: string }>(
          `SELECT d.id AS id FROM decisions d LEFT JOIN reviews r ON r.decision_id = d.id
           WHERE ${IS_PENDING} AND (COALESCE(r.claim_until, 0) <= ? OR (r.key_id = ? AND r.name IS ?))
           ORDER BY COALESCE(r.claim_until, 0) > ? DESC, d.decided_at, d.id LIMIT 1`,
          nowMs,
          reviewer.key,
          reviewer.name,
          nowMs,
        )
        .toArray();
      if (row === undefined) return null;
      this.#claim(row.id, reviewer, nowMs);
      return this.find(row.id, nowMs);
    });
  }

  /**
   * Does what a reviewer asks. Repeated by the same one, it changes nothing and answers the same.
   * @param callbackId Id of the event that carries the answer to the sender.
   */
  act(
    id: string,
    action: ReviewAction,
    reviewer: Reviewer,
    note: string | null,
    callbackId: string,
    nowMs: number,
  ): ReviewOutcome {
    return this.#storage.transactionSync((): ReviewOutcome => {
      const review = this.find(id, nowMs);
      if (review === null) return { outcome: 'not_found' };
      const isOwn = review.reviewer?.key === reviewer.key && review.reviewer.name === reviewer.name;
      if (review.state !== 'pending') {
        const wanted = action === 'approve' ? 'approved' : action === 'reject' ? 'rejected' : null;
        return { outcome: isOwn && wanted === review.state ? 'done' : 'decided', review };
      }
      if (review.claim_expires_at !== null && !isOwn) return { outcome: 'claimed', review };
      if (action === 'claim') this.#claim(id, reviewer, nowMs);
      else if (action === 'release') {
        this.#sql.exec('UPDATE reviews SET key_id = NULL, name = NULL, claim_until = NULL WHERE decision_id = ?', id);
      } else this.#decide(review, action, reviewer, note, callbackId, nowMs);
      return { outcome: 'done', review: this.find(id, nowMs)! };
    });
  }

  #claim(id: string, reviewer: Reviewer, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO reviews (decision_id, state, key_id, name, claim_until) VALUES (?, 'pending', ?, ?, ?)
       ON CONFLICT (decision_id) DO UPDATE SET
         key_id = excluded.key_id, name = excluded.name, claim_until = excluded.claim_until`,
      id,
      reviewer.key,
      reviewer.name,
      nowMs + CLAIM_MS,
    );
  }

  #decide(
    review: ReviewRecord,
    action: 'approve' | 'reject',
    reviewer: Reviewer,
    note: string | null,
    callbackId: string,
    nowMs: number,
  ): void {
    const { decision } = review;
    const event = this.#eventOf(review);
    this.#sql.exec(
      `INSERT INTO reviews (decision_id, state, key_id, name, reviewed_at, note, callback_id) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (decision_id) DO UPDATE SET state = excluded.state, key_id = excluded.key_id, name = excluded.name,
         reviewed_at = excluded.reviewed_at, note = excluded.note, callback_id = excluded.callback_id,
         claim_until = NULL, image = NULL`,
      decision.id,
      action === 'approve' ? 'approved' : 'rejected',
      reviewer.key,
      reviewer.name,
      nowMs,
      note,
      event === null ? null : callbackId,
    );
    if (event === null) return;
    const payload = reviewPayload({
      eventId: event.id,
      reference: event.reference,
      decision,
      action,
      reviewer,
      note,
      reviewedAt: new Date(nowMs).toISOString(),
      metadata: metadataOf(event.payload),
    });
    const disabled = event.disabled !== 0;
    this.#sql.exec(
      `INSERT INTO events (id, message_id, reference, state, policy, url, decision, payload, next_at, accepted_at, finished_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
      callbackId,
      `review of ${decision.id}`,
      event.reference,
      disabled ? 'disabled' : 'pending',
      decision.policy.name,
      event.url,
      JSON.stringify(decision),
      payload,
      disabled ? null : nowMs,
      nowMs,
      disabled ? nowMs : null,
    );
  }

  /** The event that the decision was about, where somebody is to be called back. */
  #eventOf({ event_id: eventId }: ReviewRecord) {
    if (eventId === null) return null;
    const rows = this.#sql
      .exec<{ id: string; reference: string; url: string; payload: string | null; disabled: number }>(
        `SELECT e.id, e.reference, e.url, e.payload, p.disabled_at IS NOT NULL AS disabled
         FROM events e LEFT JOIN endpoints p ON p.url = e.url WHERE e.id = ? AND e.url IS NOT NULL`,
        eventId,
      )
      .toArray();
    return rows[0] ?? null;
  }

  /** Forgets reviews of decisions that are gone. */
  purge(): void {
    this.#sql.exec('DELETE FROM reviews WHERE decision_id NOT IN (SELECT id FROM decisions)');
  }
}

/** What the sender wanted back, as the first callback carried it. */
function metadataOf(payload: string | null): unknown {
  if (payload === null) return undefined;
  return (JSON.parse(payload) as { data: { metadata?: unknown } }).data.metadata;
}

function toReview(row: ReviewRow, nowMs: number): ReviewRecord {
  const state = row.state ?? 'pending';
  const isHeld = row.claim_until !== null && row.claim_until > nowMs;
  const isKnown = state !== 'pending' || isHeld;
  const record: DecisionRecord = {
    decision: JSON.parse(row.body) as Decision,
    item_id: row.reference,
    event_id: row.event_id,
    timeMs: row.decided_at,
  };
  return {
    ...record,
    state,
    reviewer: isKnown && row.key_id !== null ? { key: row.key_id, name: row.name } : null,
    claim_expires_at: isHeld ? new Date(row.claim_until!).toISOString() : null,
    reviewed_at: row.reviewed_at === null ? null : new Date(row.reviewed_at).toISOString(),
    note: row.note,
    callback_event_id: row.callback_id,
    has_image: row.image !== null,
  };
}
