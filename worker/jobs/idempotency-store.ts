/**
 * Which job an Idempotency-Key made: rows of a tenant's directory. A key is reserved while its job's inputs are being stored, and
 * counts once they are: then the row holds what the job is to be, so that whoever comes next can make it if nobody has.
 */
import { type Migration, migrate } from '../storage/migrate.ts';
import type { JobSpecification } from './records.ts';

/** How long a key is remembered, in ms. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;

/** A reservation whose upload has not been heard of for this long, in ms, is taken over. */
const SILENT_MS = 30_000;

const FIRST_TABLES = `
CREATE TABLE IF NOT EXISTS reservations (
  key TEXT PRIMARY KEY,
  job TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  request TEXT,
  content TEXT,
  specification TEXT
);
CREATE INDEX IF NOT EXISTS reservations_of_jobs ON reservations (job);
`;

/** Release by release. */
const MIGRATIONS: readonly Migration[] = [{ version: 1, apply: (sql) => void sql.exec(FIRST_TABLES) }];

/** SHA-256 of what a request was, in hex. */
export interface Fingerprint {
  /** Task, model, parameters, callback, where inputs are. */
  readonly request: string;
  /** Inputs that were sent along; empty where none were. */
  readonly content: string;
}

/** What became of a key. */
export type Reservation =
  /** Reserved; `replaced` is the job that an abandoned upload was for. */
  | { readonly kind: 'new'; readonly replaced: string | null }
  /** Another request stores its inputs under this key. */
  | { readonly kind: 'running' }
  /** It made `job`; `unmade` is what that job is to be where it may not be there yet. */
  | {
      readonly kind: 'made';
      readonly job: string;
      readonly fingerprint: Fingerprint;
      readonly unmade: JobSpecification | null;
    };

type Row = { job: string; request: string | null; content: string | null; specification: string | null };

/** Times are ms since the epoch. */
export class IdempotencyStore {
  readonly #sql: SqlStorage;
  /** When uploads were heard of, by key. In memory on purpose: after a restart no upload is going on. */
  readonly #heard = new Map<string, { readonly job: string; readonly at: number }>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    migrate(this.#sql, 'reservations', MIGRATIONS);
  }

  /** Takes a key for a job whose inputs are about to be stored, or says why not. */
  reserve(key: string, job: string, now: number): Reservation {
    this.#sql.exec('DELETE FROM reservations WHERE created_at < ?', now - REMEMBERED_MS);
    for (const [each, { at }] of this.#heard) if (at < now - SILENT_MS) this.#heard.delete(each);
    const row = this.#row(key);
    if (row?.request != null) {
      const unmade = row.specification === null ? null : (JSON.parse(row.specification) as JobSpecification);
      return { kind: 'made', job: row.job, fingerprint: { request: row.request, content: row.content ?? '' }, unmade };
    }
    if (row !== null && this.#heard.get(key)?.job === row.job) return { kind: 'running' };
    this.#sql.exec('INSERT OR REPLACE INTO reservations VALUES (?, ?, ?, NULL, NULL, NULL)', key, job, now);
    this.#heard.set(key, { job, at: now });
    return { kind: 'new', replaced: row?.job ?? null };
  }

  /** The upload goes on. @returns false where another request has taken the key over. */
  renew(key: string, job: string, now: number): boolean {
    if (this.#row(key)?.job !== job) return false;
    this.#heard.set(key, { job, at: now });
    return true;
  }

  /** The inputs are stored: from here on the key stands for this job. @returns false where another request has taken it over. */
  commit(key: string, { request, content }: Fingerprint, specification: JobSpecification): boolean {
    const row = this.#row(key);
    if (row?.job !== specification.id) return false;
    this.#sql.exec(
      'UPDATE reservations SET request = ?, content = ?, specification = ? WHERE key = ?',
      request,
      content,
      JSON.stringify(specification),
      key,
    );
    this.#heard.delete(key);
    return true;
  }

  /** The job is there. */
  made(job: string): void {
    this.#sql.exec('UPDATE reservations SET specification = NULL WHERE job = ?', job);
  }

  /** Gives a key back whose inputs could not be stored. */
  release(key: string, job: string): void {
    this.#sql.exec('DELETE FROM reservations WHERE key = ? AND job = ? AND request IS NULL', key, job);
    if (this.#heard.get(key)?.job === job) this.#heard.delete(key);
  }

  #row(key: string): Row | null {
    return (
      this.#sql
        .exec<Row>('SELECT job, request, content, specification FROM reservations WHERE key = ?', key)
        .toArray()[0] ?? null
    );
  }
}
