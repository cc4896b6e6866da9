/**
 * Events from acceptance to decision: what makes "accepted" mean "not lost". SQL only; the time is passed in.
 * Every change of an event is one transaction.
 */
import type { ImageLocation } from '../../images/image-location.ts';
import type { Decision } from '../verdict-shapes.ts';
import { callbackPayload } from './payload.ts';
import type { Acceptance, EffectResult, EventState, EventWork, IncomingMessage, JudgementFailure } from './records.ts';

/** After so many doublings the delay before an event is queued again stops growing. */
const MAX_REQUEUE_DOUBLINGS = 6;

type WorkRow = {
  id: string;
  state: EventState;
  image: string | null;
  policy: string;
  reference: string;
  decision: string | null;
  fetch_failures: number;
  traceparent: string | null;
};
const WORK_COLUMNS = 'id, state, image, policy, reference, decision, fetch_failures, traceparent';

/** Events of one ledger. */
export class EventStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  get #sql(): SqlStorage {
    return this.#storage.sql;
  }

  /**
   * Takes in a message, once: a second delivery of it gives the first one's events and changes nothing.
   * @param requeueAtMs When its events are queued again if nobody has judged them.
   */
  accept(message: IncomingMessage, nowMs: number, requeueAtMs: number): Acceptance {
    return this.#storage.transactionSync((): Acceptance => {
      const known = this.#sql
        .exec<{ body_sha256: string; events: string }>(
          'SELECT body_sha256, events FROM messages WHERE id = ?',
          message.id,
        )
        .toArray()[0];
      if (known !== undefined) {
        if (known.body_sha256 !== message.bodySha256) return { outcome: 'replayed', events: [] };
        return { outcome: 'duplicate', events: JSON.parse(known.events) as Acceptance['events'] };
      }
      if (!message.idIsSigned && this.#hasBody(message.bodySha256)) return { outcome: 'replayed', events: [] };
      const events = message.items.map((item) => ({ id: item.eventId, reference: item.reference }));
      this.#sql.exec(
        'INSERT INTO messages (id, body_sha256, events, received_at) VALUES (?, ?, ?, ?)',
        message.id,
        message.bodySha256,
        JSON.stringify(events),
        nowMs,
      );
      for (const item of message.items) {
        this.#sql.exec(
          `INSERT INTO events (id, message_id, reference, state, image, policy, url, metadata, next_at, accepted_at, traceparent)
           VALUES (?, ?, ?, 'accepted', ?, ?, ?, ?, ?, ?, ?)`,
          item.eventId,
          message.id,
          item.reference,
          JSON.stringify(item.image),
          item.policy,
          item.callbackUrl,
          item.metadata,
          requeueAtMs,
          nowMs,
          message.traceparent ?? null,
        );
      }
      return { outcome: 'accepted', events };
    });
  }

  #hasBody(bodySha256: string): boolean {
    return this.#sql.exec('SELECT 1 FROM messages WHERE body_sha256 = ? LIMIT 1', bodySha256).toArray().length > 0;
  }

  /** What there is to do about an event; null where it is not known (any more). */
  work(id: string): EventWork | null {
    const row = this.#sql.exec<WorkRow>(`SELECT ${WORK_COLUMNS} FROM events WHERE id = ?`, id).toArray()[0];
    if (row === undefined) return null;
    return {
      id: row.id,
      state: row.state,
      image: row.image === null ? null : (JSON.parse(row.image) as ImageLocation),
      policy: row.policy,
      reference: row.reference,
      decision: row.decision === null ? null : (JSON.parse(row.decision) as Decision),
      fetchFailures: row.fetch_failures,
      traceparent: row.traceparent,
    };
  }

  /** Records why an event could not be judged this time. @param ofFetch True if its image could not be fetched. */
  noteFailure(id: string, failure: JudgementFailure, ofFetch: boolean): void {
    this.#sql.exec(
      "UPDATE events SET failure = ?, fetch_failures = fetch_failures + ? WHERE id = ? AND state = 'accepted'",
      JSON.stringify(failure),
      ofFetch ? 1 : 0,
      id,
    );
  }

  /**
   * Ends an event that could not be judged, without a decision. Where its image is stays known: it can be judged again.
   * @returns False if it is not waiting for a judgement.
   */
  abandon(id: string, nowMs: number): boolean {
    return (
      this.#sql.exec(
        "UPDATE events SET state = 'undecided', next_at = NULL, finished_at = ? WHERE id = ? AND state = 'accepted'",
        nowMs,
        id,
      ).rowsWritten > 0
    );
  }

  /** Makes every undecided event due for judgement, as if it had just been accepted. @returns How many. */
  reopenUndecided(nowMs: number): number {
    const { count } = this.#sql
      .exec<{ count: number }>("SELECT COUNT(*) AS count FROM events WHERE state = 'undecided'")
      .one();
    this.#sql.exec(
      `UPDATE events SET state = 'accepted', requeues = 0, fetch_failures = 0, next_at = ?, finished_at = NULL
       WHERE state = 'undecided'`,
      nowMs,
    );
    return count;
  }

  /**
   * Records the decision on an event; the first one stands.
   * @returns The decision that stands, or null where the event is not known.
   */
  decide(id: string, decision: Decision): Decision | null {
    return this.#storage.transactionSync((): Decision | null => {
      const work = this.work(id);
      if (work === null || work.decision !== null) return work?.decision ?? null;
      const body = JSON.stringify(decision);
      // An event that was given up meanwhile is decided all the same.
      this.#sql.exec(
        "UPDATE events SET state = 'decided', decision = ?, failure = NULL, finished_at = NULL WHERE id = ?",
        body,
        id,
      );
      insertDecision(this.#sql, decision, work.reference, id, null);
      return decision;
    });
  }

  /**
   * Ends the work on a decided event: what follows is its delivery. Forgets where the image was.
   * @returns False where there was nothing to end.
   */
  finish(id: string, effects: readonly EffectResult[], nowMs: number): boolean {
    return this.#storage.transactionSync((): boolean => {
      const row = this.#sql
        .exec<WorkRow & { url: string | null; metadata: string | null }>(
          `SELECT ${WORK_COLUMNS}, url, metadata FROM events WHERE id = ?`,
          id,
        )
        .toArray()[0];
      if (row === undefined || row.state !== 'decided' || row.decision === null) return false;
      if (row.url === null) {
        this.#sql.exec(
          "UPDATE events SET state = 'unaddressed', image = NULL, metadata = NULL, next_at = NULL, finished_at = ? WHERE id = ?",
          nowMs,
          id,
        );
        return true;
      }
      const payload = callbackPayload({
        eventId: id,
        reference: row.reference,
        decision: JSON.parse(row.decision) as Decision,
        effects,
        metadata: row.metadata,
      });
      const disabled = this.#isDisabled(row.url);
      this.#sql.exec(
        `UPDATE events SET state = ?, image = NULL, metadata = NULL, payload = ?, next_at = ?, finished_at = ?
         WHERE id = ?`,
        disabled ? 'disabled' : 'pending',
        payload,
        disabled ? null : nowMs,
        disabled ? nowMs : null,
        id,
      );
      return true;
    });
  }

  #isDisabled(url: string): boolean {
    const sql = 'SELECT 1 FROM endpoints WHERE url = ? AND disabled_at IS NOT NULL';
    return this.#sql.exec(sql, url).toArray().length > 0;
  }

  /**
   * Events that were accepted but not ended in time, because the queue lost them or is slow. Each is due again later,
   * the delay doubling, so that a long queue does not fill with copies.
   */
  takeStale(nowMs: number, requeueMs: number, limit: number): string[] {
    const rows = this.#sql
      .exec<{ id: string; requeues: number }>(
        "SELECT id, requeues FROM events WHERE state IN ('accepted', 'decided') AND next_at <= ? ORDER BY next_at LIMIT ?",
        nowMs,
        limit,
      )
      .toArray();
    for (const { id, requeues } of rows) {
      const delay = requeueMs * 2 ** Math.min(requeues + 1, MAX_REQUEUE_DOUBLINGS);
      this.#sql.exec('UPDATE events SET requeues = requeues + 1, next_at = ? WHERE id = ?', nowMs + delay, id);
    }
    return rows.map(({ id }) => id);
  }
}

/** Adds a decision to the audit log; one that is there stays as it is. */
export function insertDecision(
  sql: SqlStorage,
  decision: Decision,
  reference: string | null,
  eventId: string | null,
  tenant: string | null,
): void {
  sql.exec(
    `INSERT INTO decisions (id, decided_at, verdict, policy, reference, image_sha256, event_id, body, tenant)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    decision.id,
    Date.parse(decision.decided_at),
    decision.verdict,
    decision.policy.name,
    reference,
    decision.image_sha256,
    eventId,
    JSON.stringify(decision),
    tenant,
  );
}
