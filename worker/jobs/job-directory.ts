/** The jobs of one tenant: the list, and which job an Idempotency-Key made. One Durable Object a tenant. */

import { DurableObject } from 'cloudflare:workers';
import { type Migration, migrate } from '../storage/migrate.ts';
import { type Fingerprint, IdempotencyStore, type Reservation } from './idempotency-store.ts';
import type { JobSpecification, JobState, JobTask } from './records.ts';

const FIRST_TABLES = `
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  task TEXT NOT NULL,
  model TEXT NOT NULL,
  state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_newest ON jobs (created_at DESC, id DESC);
`;

/** Release by release. */
const MIGRATIONS: readonly Migration[] = [{ version: 1, apply: (sql) => void sql.exec(FIRST_TABLES) }];

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

type Row = { id: string; created_at: number; task: JobTask; model: string; state: JobState };

export class JobDirectory extends DurableObject<object> {
  readonly #sql: SqlStorage;
  readonly #keys: IdempotencyStore;

  constructor(context: DurableObjectState, env: object) {
    super(context, env);
    this.#sql = context.storage.sql;
    migrate(this.#sql, 'directory', MIGRATIONS);
    this.#keys = new IdempotencyStore(this.#sql);
  }

  /** Takes an Idempotency-Key for a job whose inputs are about to be stored, or says why not. */
  reserve(key: string, job: string): Reservation {
    return this.#keys.reserve(key, job, Date.now());
  }

  /** The upload of a reserved key goes on. @returns false where another request has taken the key over. */
  renew(key: string, job: string): boolean {
    return this.#keys.renew(key, job, Date.now());
  }

  /** The key stands for this job from here on. @returns false where another request has taken it over. */
  commit(key: string, fingerprint: Fingerprint, specification: JobSpecification): boolean {
    return this.#keys.commit(key, fingerprint, specification);
  }

  /** Gives a key back whose inputs could not be stored. */
  release(key: string, job: string): void {
    this.#keys.release(key, job);
  }

  /** Adds a job that is there; a second time changes nothing. */
  add(entry: DirectoryEntry): void {
    const { id, createdAtMs, task, model, state } = entry;
    this.#keys.made(id);
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
