/** Reads the log: events, endpoints, decisions; and forgets what is older than its retention. SQL only. */
import type { AttemptOutcome } from '../../callbacks/delivery.ts';
import type { Exchange } from '../../callbacks/exchange.ts';
import type { Action } from '../policy/schema.ts';
import type { Decision } from '../verdict-shapes.ts';
import type {
  DecisionFilter,
  DecisionRecord,
  EndpointSummary,
  EventLog,
  EventState,
  EventSummary,
  JudgementFailure,
  ListPosition,
} from './records.ts';

/** Rows that one alarm deletes of each table, so that it stays short. */
const PURGE_BATCH = 5000;

type EventRow = {
  id: string;
  message_id: string;
  reference: string;
  state: EventState;
  url: string | null;
  decision: string | null;
  attempts: number;
  next_at: number | null;
  accepted_at: number;
  finished_at: number | null;
  failure: string | null;
};
const EVENT_COLUMNS =
  'id, message_id, reference, state, url, decision, attempts, next_at, accepted_at, finished_at, failure';

type DecisionRow = { decided_at: number; reference: string | null; event_id: string | null; body: string };
const DECISION_COLUMNS = 'decided_at, reference, event_id, body';

/** Characters of a payload that the log shows. */
const MAX_PAYLOAD = 64 * 1024;

/** The log of one ledger. */
export class LogStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Events, newest first. */
  events(state: EventState | null, before: ListPosition | null, limit: number): EventSummary[] {
    const where = new Where();
    if (state !== null) where.add('state = ?', state);
    if (before !== null) where.add('(accepted_at, id) < (?, ?)', before.timeMs, before.id);
    return this.#sql
      .exec<EventRow>(
        `SELECT ${EVENT_COLUMNS} FROM events ${where.text} ORDER BY accepted_at DESC, id DESC LIMIT ?`,
        ...where.values,
        limit,
      )
      .toArray()
      .map(toSummary);
  }

  /** One event with its history; null where it is not known. */
  event(id: string): EventLog | null {
    const row = this.#sql
      .exec<EventRow & { payload: string | null }>(`SELECT ${EVENT_COLUMNS}, payload FROM events WHERE id = ?`, id)
      .toArray()[0];
    if (row === undefined) return null;
    const attempts = this.#sql
      .exec<{
        number: number;
        started_at: number;
        finished_at: number | null;
        outcome: AttemptOutcome | null;
        status: number | null;
        detail: string | null;
        exchange: string | null;
      }>(
        `SELECT number, started_at, finished_at, outcome, status, detail, exchange FROM attempts
         WHERE event_id = ? ORDER BY number`,
        id,
      )
      .toArray();
    return {
      ...toSummary(row),
      decision: row.decision === null ? null : (JSON.parse(row.decision) as Decision),
      payload: row.payload?.slice(0, MAX_PAYLOAD) ?? null,
      attempt_log: attempts.map(({ exchange, ...attempt }) => ({
        ...attempt,
        started_at: iso(attempt.started_at),
        finished_at: isoOrNull(attempt.finished_at),
        ...(exchange === null ? { request: null, response: null } : (JSON.parse(exchange) as Exchange)),
      })),
    };
  }

  /** How many events are in each state. */
  counts(): Partial<Record<EventState, number>> {
    const rows = this.#sql.exec<{ state: EventState; count: number }>(
      'SELECT state, COUNT(*) AS count FROM events GROUP BY state',
    );
    return Object.fromEntries([...rows].map(({ state, count }) => [state, count]));
  }

  /** The URLs that callbacks went to, or are to go to. */
  endpoints(): EndpointSummary[] {
    return this.#sql
      .exec<{
        url: string;
        disabled_at: number | null;
        pending: number;
        delivered: number;
        dead: number;
        disabled: number;
      }>(
        `SELECT e.url AS url, p.disabled_at AS disabled_at,
           SUM(e.state = 'pending') AS pending, SUM(e.state = 'delivered') AS delivered,
           SUM(e.state = 'dead') AS dead, SUM(e.state = 'disabled') AS disabled
         FROM events e LEFT JOIN endpoints p ON p.url = e.url WHERE e.url IS NOT NULL GROUP BY e.url ORDER BY e.url`,
      )
      .toArray()
      .map((row) => ({
        ...row,
        state: row.disabled_at === null ? ('enabled' as const) : ('disabled' as const),
        disabled_at: isoOrNull(row.disabled_at),
      }));
  }

  /** Decisions, newest first. */
  decisions(filter: DecisionFilter, before: ListPosition | null, limit: number): DecisionRecord[] {
    const where = new Where();
    if (filter.verdict !== undefined) where.add('verdict = ?', filter.verdict);
    if (filter.policy !== undefined) where.add('policy = ?', filter.policy);
    if (filter.reference !== undefined) where.add('reference = ?', filter.reference);
    if (filter.imageSha256 !== undefined) where.add('image_sha256 = ?', filter.imageSha256);
    if (filter.sinceMs !== undefined) where.add('decided_at >= ?', filter.sinceMs);
    if (filter.untilMs !== undefined) where.add('decided_at < ?', filter.untilMs);
    if (filter.tenant !== undefined) where.add('tenant = ?', filter.tenant);
    if (before !== null) where.add('(decided_at, id) < (?, ?)', before.timeMs, before.id);
    return this.#sql
      .exec<DecisionRow>(
        `SELECT ${DECISION_COLUMNS} FROM decisions ${where.text} ORDER BY decided_at DESC, id DESC LIMIT ?`,
        ...where.values,
        limit,
      )
      .toArray()
      .map(toDecision);
  }

  /** One decision; null where it is not known, or another tenant's. */
  decision(id: string, tenant: string | null): DecisionRecord | null {
    const where = new Where();
    where.add('id = ?', id);
    if (tenant !== null) where.add('tenant = ?', tenant);
    const rows = this.#sql
      .exec<DecisionRow>(`SELECT ${DECISION_COLUMNS} FROM decisions ${where.text}`, ...where.values)
      .toArray();
    return rows[0] === undefined ? null : toDecision(rows[0]);
  }

  /** Deletes decisions, messages and ended events from before a time. What is still in work stays. */
  purge(beforeMs: number): void {
    this.#sql.exec(
      'DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE decided_at < ? LIMIT ?)',
      beforeMs,
      PURGE_BATCH,
    );
    this.#sql.exec(
      'DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE received_at < ? LIMIT ?)',
      beforeMs,
      PURGE_BATCH,
    );
    this.#sql.exec(
      'DELETE FROM attempts WHERE event_id IN (SELECT id FROM events WHERE finished_at < ? LIMIT ?)',
      beforeMs,
      PURGE_BATCH,
    );
    this.#sql.exec(
      `DELETE FROM events WHERE id IN (SELECT id FROM events WHERE finished_at < ? LIMIT ?)
       AND id NOT IN (SELECT event_id FROM attempts)`,
      beforeMs,
      PURGE_BATCH,
    );
    this.#sql.exec(
      'DELETE FROM endpoints WHERE disabled_at IS NULL AND url NOT IN (SELECT url FROM events WHERE url IS NOT NULL)',
    );
  }

  /** The time of the oldest thing that retention applies to; null where there is none. */
  oldestMs(): number | null {
    const [row] = this.#sql
      .exec<{ oldest: number | null }>(
        `SELECT MIN(time) AS oldest FROM (
           SELECT MIN(decided_at) AS time FROM decisions UNION ALL
           SELECT MIN(received_at) FROM messages UNION ALL
           SELECT MIN(finished_at) FROM events)`,
      )
      .toArray();
    return row?.oldest ?? null;
  }

  /** The earliest time at which an event wants something done; null where none does. */
  nextDueMs(): number | null {
    const [row] = this.#sql
      .exec<{ next: number | null }>(
        "SELECT MIN(next_at) AS next FROM events WHERE state IN ('accepted', 'decided', 'pending')",
      )
      .toArray();
    return row?.next ?? null;
  }
}

/** Conditions and their values, joined by AND. */
class Where {
  readonly #conditions: string[] = [];
  readonly values: (string | number)[] = [];

  add(condition: string, ...values: (string | number)[]): void {
    this.#conditions.push(condition);
    this.values.push(...values);
  }

  get text(): string {
    return this.#conditions.length === 0 ? '' : `WHERE ${this.#conditions.join(' AND ')}`;
  }
}

function toSummary(row: EventRow): EventSummary {
  const decision = row.decision === null ? null : (JSON.parse(row.decision) as { id: string; verdict: Action });
  return {
    id: row.id,
    message_id: row.message_id,
    item_id: row.reference,
    state: row.state,
    accepted_at: iso(row.accepted_at),
    finished_at: isoOrNull(row.finished_at),
    callback_url: row.url,
    decision_id: decision?.id ?? null,
    verdict: decision?.verdict ?? null,
    failure: row.failure === null ? null : (JSON.parse(row.failure) as JudgementFailure),
    attempts: row.attempts,
    next_attempt_at: row.state === 'pending' ? isoOrNull(row.next_at) : null,
  };
}

function toDecision(row: DecisionRow): DecisionRecord {
  return {
    decision: JSON.parse(row.body) as Decision,
    item_id: row.reference,
    event_id: row.event_id,
    timeMs: row.decided_at,
  };
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function isoOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : iso(timeMs);
}
