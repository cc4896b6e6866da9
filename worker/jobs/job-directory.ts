/** The jobs of one tenant: the list, and which job an Idempotency-Key made. One Durable Object a tenant. */
import { DurableObject } from 'cloudflare:workers';
import type { JobState, JobTask } from './records.ts';

/** How long an Idempotency-Key is remembered, in ms. */
const IDEMPOTENCY_MS = 7 * 24 * 3_600_000;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  task TEXT NOT NULL,
  model TEXT NOT NULL,
  state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_newest ON jobs (created_at DESC, id DESC);
CREATE TABLE IF NOT EXISTS idempotency (
  key TEXT PRIMARY KEY,
  request TEXT NOT NULL,
  job TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
`;

/** A job in the list. */
export interface DirectoryEntry {
  readonly id: string;
  readonly createdAtMs: number;
  readonly task: JobTask;
  /** `name@version`. */
  readonly model: string;
  readonly state: JobState;
}

/** A page of the list, newest first. */
export interface DirectoryPage {
  readonly jobs: readonly DirectoryEntry[];
  /** Hand it back for the next page; null on the last. */
  readonly cursor: string | null;
}

/** What became of an Idempotency-Key: a new job, the job it made before, or another request's key. */
export type Reservation =
  | { readonly kind: 'new' }
  | { readonly kind: 'same'; readonly job: string }
  | { readonly kind: 'other' };

type Row = { id: string; created_at: number; task: JobTask; model: string; state: JobState };

/** See the file's header. */
export class JobDirectory extends DurableObject<object> {
  readonly #sql: SqlStorage;

  constructor(context: DurableObjectState, env: object) {
    super(context, env);
    this.#sql = context.storage.sql;
    this.#sql.exec(SCHEMA);
  }

  /**
   * Takes an Idempotency-Key for a job that is about to be made.
   * @param request hash of the request: another request with the same key is refused.
   */
  reserve(key: string, request: string, job: string): Reservation {
    const now = Date.now();
    this.#sql.exec('DELETE FROM idempotency WHERE created_at < ?', now - IDEMPOTENCY_MS);
    const known = this.#sql
      .exec<{ request: string; job: string }>('SELECT request, job FROM idempotency WHERE key = ?', key)
      .toArray()[0];
    if (known !== undefined) return known.request === request ? { kind: 'same', job: known.job } : { kind: 'other' };
    this.#sql.exec('INSERT INTO idempotency VALUES (?, ?, ?, ?)', key, request, job, now);
    return { kind: 'new' };
  }

  /** Gives a key back whose job could not be made. */
  release(key: string): void {
    this.#sql.exec('DELETE FROM idempotency WHERE key = ?', key);
  }

  /** Adds a job; a second time changes nothing. */
  add(entry: DirectoryEntry): void {
    const { id, createdAtMs, task, model, state } = entry;
    this.#sql.exec('INSERT OR IGNORE INTO jobs VALUES (?, ?, ?, ?, ?)', id, createdAtMs, task, model, state);
  }

  /** Notes where a job is. */
  setState(id: string, state: JobState): void {
    this.#sql.exec('UPDATE jobs SET state = ? WHERE id = ?', state, id);
  }

  /** Forgets a job. */
  remove(id: string): void {
    this.#sql.exec('DELETE FROM jobs WHERE id = ?', id);
  }

  /** A page of jobs behind `cursor`. */
  list(cursor: string | null, limit: number): DirectoryPage {
    const [createdAt = Number.MAX_SAFE_INTEGER, id = ''] = cursor === null ? [] : splitCursor(cursor);
    const rows = this.#sql
      .exec<Row>(
        'SELECT * FROM jobs WHERE created_at < ? OR (created_at = ? AND id < ?) ORDER BY created_at DESC, id DESC LIMIT ?',
        createdAt,
        createdAt,
        id,
        limit + 1,
      )
      .toArray();
    const jobs = rows
      .slice(0, limit)
      .map((row) => ({ id: row.id, createdAtMs: row.created_at, task: row.task, model: row.model, state: row.state }));
    const last = jobs.at(-1);
    return { jobs, cursor: rows.length > limit && last !== undefined ? `${last.createdAtMs}-${last.id}` : null };
  }
}

function splitCursor(cursor: string): [number, string] {
  const dash = cursor.indexOf('-');
  const createdAt = Number(cursor.slice(0, dash));
  return Number.isSafeInteger(createdAt) ? [createdAt, cursor.slice(dash + 1)] : [0, ''];
}
