/** Deliveries and their history. SQL only; the time is passed in. */
import type { AttemptEnd, DueDelivery } from '../../callbacks/delivery.ts';

const EVENT_COLUMNS = 'id, url, payload, attempts, failures, traceparent';
type DueRow = {
  id: string;
  url: string;
  payload: string;
  attempts: number;
  failures: number;
  traceparent: string | null;
};

/** What came of a replay: `in_work` if the event has not ended, `undecided` if there is nothing to deliver. */
export type ReplayOutcome = 'replayed' | 'not_found' | 'in_work' | 'undecided' | 'disabled';

/** Deliveries of one ledger. */
export class DeliveryStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  get #sql(): SqlStorage {
    return this.#storage.sql;
  }

  /** URLs that something is due for, with whether the last attempt there failed. */
  dueEndpoints(nowMs: number): { url: string; failing: boolean }[] {
    return this.#sql
      .exec<{ url: string; failing: number }>(
        `SELECT e.url AS url, COALESCE(p.failing, 0) AS failing FROM events e LEFT JOIN endpoints p ON p.url = e.url
         WHERE e.state = 'pending' AND e.next_at <= ? GROUP BY e.url ORDER BY MIN(e.next_at)`,
        nowMs,
      )
      .toArray()
      .map(({ url, failing }) => ({ url, failing: failing !== 0 }));
  }

  /** What is due for one URL, longest due first. */
  due(url: string, nowMs: number, limit: number): DueDelivery[] {
    return this.#sql
      .exec<DueRow>(
        `SELECT ${EVENT_COLUMNS} FROM events WHERE url = ? AND state = 'pending' AND next_at <= ? ORDER BY next_at LIMIT ?`,
        url,
        nowMs,
        limit,
      )
      .toArray()
      .map((row) => ({ ...row, attempt: row.attempts + 1 }));
  }

  /**
   * Writes down that an attempt begins, before it does: if the worker dies, the history shows it. An earlier attempt
   * that never ended is closed as `interrupted`.
   * @returns False where the event is not pending any more: its endpoint was disabled since it was read.
   */
  begin(delivery: DueDelivery, nowMs: number): boolean {
    return this.#storage.transactionSync(() => {
      const pending = this.#sql.exec("SELECT 1 FROM events WHERE id = ? AND state = 'pending'", delivery.id).toArray();
      if (pending.length === 0) return false;
      this.#sql.exec(
        "UPDATE attempts SET outcome = 'interrupted', finished_at = ? WHERE event_id = ? AND outcome IS NULL",
        nowMs,
        delivery.id,
      );
      this.#sql.exec('UPDATE events SET attempts = ? WHERE id = ?', delivery.attempt, delivery.id);
      this.#sql.exec(
        'INSERT INTO attempts (event_id, number, started_at) VALUES (?, ?, ?)',
        delivery.id,
        delivery.attempt,
        nowMs,
      );
      return true;
    });
  }

  /** Records a success. */
  succeed(delivery: DueDelivery, end: AttemptEnd, nowMs: number): void {
    this.#storage.transactionSync(() => {
      this.#endAttempt(delivery, end, nowMs);
      this.#setFailing(delivery.url, false);
      this.#sql.exec(
        "UPDATE events SET state = 'delivered', next_at = NULL, finished_at = ? WHERE id = ?",
        nowMs,
        delivery.id,
      );
    });
  }

  /** Records a failure. @param nextAtMs Null: the schedule is used up, the event is dead. */
  fail(delivery: DueDelivery, end: AttemptEnd, nowMs: number, nextAtMs: number | null): void {
    this.#storage.transactionSync(() => {
      this.#endAttempt(delivery, end, nowMs);
      this.#setFailing(delivery.url, true);
      this.#sql.exec(
        `UPDATE events SET state = ?, failures = failures + 1, next_at = ?, finished_at = ?
         WHERE id = ? AND state = 'pending'`,
        nextAtMs === null ? 'dead' : 'pending',
        nextAtMs,
        nextAtMs === null ? nowMs : null,
        delivery.id,
      );
    });
  }

  /** Records a 410: the endpoint wants nothing more, so everything that waits for it ends. */
  disable(delivery: DueDelivery, end: AttemptEnd, nowMs: number): void {
    this.#storage.transactionSync(() => {
      this.#endAttempt(delivery, end, nowMs);
      this.#sql.exec(
        `INSERT INTO endpoints (url, disabled_at, failing) VALUES (?, ?, 1)
         ON CONFLICT (url) DO UPDATE SET disabled_at = excluded.disabled_at, failing = 1`,
        delivery.url,
        nowMs,
      );
      this.#sql.exec(
        "UPDATE events SET state = 'disabled', next_at = NULL, finished_at = ? WHERE url = ? AND state = 'pending'",
        nowMs,
        delivery.url,
      );
    });
  }

  #endAttempt(delivery: DueDelivery, end: AttemptEnd, nowMs: number): void {
    this.#sql.exec(
      `UPDATE attempts SET finished_at = ?, outcome = ?, status = ?, detail = ?, exchange = ?
       WHERE event_id = ? AND number = ?`,
      nowMs,
      end.outcome,
      end.status,
      end.detail,
      end.exchange === null ? null : JSON.stringify(end.exchange),
      delivery.id,
      delivery.attempt,
    );
  }

  #setFailing(url: string, failing: boolean): void {
    this.#sql.exec(
      'INSERT INTO endpoints (url, failing) VALUES (?, ?) ON CONFLICT (url) DO UPDATE SET failing = excluded.failing',
      url,
      failing ? 1 : 0,
    );
  }

  /**
   * Starts the schedule of an ended delivery anew; its history stays.
   * @returns `disabled` if its endpoint is.
   */
  replay(id: string, nowMs: number): ReplayOutcome {
    return this.#storage.transactionSync(() => {
      const row = this.#sql
        .exec<{ state: string; disabled: number }>(
          `SELECT e.state AS state, p.disabled_at IS NOT NULL AS disabled
           FROM events e LEFT JOIN endpoints p ON p.url = e.url WHERE e.id = ?`,
          id,
        )
        .toArray()[0];
      if (row === undefined || row.state === 'unaddressed') return 'not_found';
      if (row.state === 'undecided') return 'undecided';
      if (row.state !== 'delivered' && row.state !== 'dead' && row.state !== 'disabled') return 'in_work';
      if (row.disabled !== 0) return 'disabled';
      this.#sql.exec(
        "UPDATE events SET state = 'pending', failures = 0, next_at = ?, finished_at = NULL WHERE id = ?",
        nowMs,
        id,
      );
      return 'replayed';
    });
  }

  /** Replays every dead or disabled delivery of endpoints that are enabled. @returns How many. */
  replayAll(state: 'dead' | 'disabled', nowMs: number): number {
    return this.#sql.exec(
      `UPDATE events SET state = 'pending', failures = 0, next_at = ?, finished_at = NULL
       WHERE state = ? AND url NOT IN (SELECT url FROM endpoints WHERE disabled_at IS NOT NULL)`,
      nowMs,
      state,
    ).rowsWritten;
  }

  /** Lets an endpoint receive again. @returns False where it was not disabled. */
  enable(url: string): boolean {
    const sql =
      'UPDATE endpoints SET disabled_at = NULL, failing = 0 WHERE url = ? AND disabled_at IS NOT NULL RETURNING url';
    return this.#sql.exec(sql, url).toArray().length > 0;
  }
}
