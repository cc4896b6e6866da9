/** A head's settings, versions, aliases and grants, in its Durable Object's SQLite. */

import type { ErrorCode } from '../errors.ts';
import { type Migration, migrate } from '../storage/migrate.ts';
import type { HeadAlias, HeadVersion } from './layout.ts';
import type { HeadSettings } from './records.ts';

const FIRST_TABLES = `
CREATE TABLE IF NOT EXISTS head (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS versions (version TEXT PRIMARY KEY, position INTEGER NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS aliases (alias TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS grants (tenant TEXT PRIMARY KEY);
`;

/** Release by release. */
const MIGRATIONS: readonly Migration[] = [{ version: 1, apply: (sql) => void sql.exec(FIRST_TABLES) }];

/** How many earlier versions an alias remembers, for rollback; as of a model. */
const ALIAS_HISTORY_LENGTH = 20;

/** Counters that say what is left to do. */
export interface Progress {
  /** Goes up with every change of the examples or of how they are trained. */
  readonly revision: number;
  /** The revision that the newest version was trained from. */
  readonly trainedRevision: number;
  /** True: the index object in the bucket is older than what is here. */
  readonly unpublished: boolean;
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
}

const NOTHING: Progress = { revision: 0, trainedRevision: 0, unpublished: false, error: null };

export class VersionStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    migrate(sql, 'versions', MIGRATIONS);
  }

  get settings(): HeadSettings | null {
    return this.#read<HeadSettings>('settings');
  }

  set settings(settings: HeadSettings) {
    this.#write('settings', settings);
  }

  get progress(): Progress {
    return this.#read<Progress>('progress') ?? NOTHING;
  }

  /** Changes some of the progress. */
  update(changes: Partial<Progress>): void {
    this.#write('progress', { ...this.progress, ...changes });
  }

  /** Notes that examples changed. */
  touch(): void {
    const { revision } = this.progress;
    this.update({ revision: revision + 1, error: null });
  }

  /** Every version, newest first. */
  versions(): HeadVersion[] {
    return this.#sql
      .exec<{ facts: string }>('SELECT facts FROM versions ORDER BY position DESC')
      .toArray()
      .map(({ facts }) => JSON.parse(facts) as HeadVersion);
  }

  /** One version, or null. */
  version(version: string): HeadVersion | null {
    const row = this.#sql.exec<{ facts: string }>('SELECT facts FROM versions WHERE version = ?', version).toArray()[0];
    return row === undefined ? null : (JSON.parse(row.facts) as HeadVersion);
  }

  /** Adds a version; one that is there already becomes the newest again. */
  addVersion(facts: HeadVersion): void {
    const query = 'SELECT COALESCE(MAX(position), 0) + 1 AS next FROM versions';
    const { next } = this.#sql.exec<{ next: number }>(query).one();
    this.#sql.exec(
      'INSERT INTO versions VALUES (?, ?, ?) ON CONFLICT (version) DO UPDATE SET position = excluded.position',
      facts.version,
      next,
      JSON.stringify(facts),
    );
  }

  deleteVersion(version: string): void {
    this.#sql.exec('DELETE FROM versions WHERE version = ?', version);
  }

  aliases(): Record<string, HeadAlias> {
    const rows = this.#sql.exec<{ alias: string; record: string }>('SELECT alias, record FROM aliases ORDER BY alias');
    return Object.fromEntries(rows.toArray().map(({ alias, record }) => [alias, JSON.parse(record) as HeadAlias]));
  }

  alias(alias: string): HeadAlias | null {
    return this.aliases()[alias] ?? null;
  }

  /** Points an alias at a version. @returns the version that it named before, or null. */
  moveAlias(alias: string, version: string, now: string): string | null {
    const current = this.alias(alias);
    if (current?.version === version) return version;
    const history = current === null ? [] : [...current.history, current.version].slice(-ALIAS_HISTORY_LENGTH);
    this.setAlias(alias, { version, updated_at: now, history });
    return current?.version ?? null;
  }

  setAlias(alias: string, record: HeadAlias): void {
    this.#sql.exec('INSERT OR REPLACE INTO aliases VALUES (?, ?)', alias, JSON.stringify(record));
  }

  deleteAlias(alias: string): void {
    this.#sql.exec('DELETE FROM aliases WHERE alias = ?', alias);
  }

  grants(): string[] {
    return this.#sql
      .exec<{ tenant: string }>('SELECT tenant FROM grants ORDER BY tenant')
      .toArray()
      .map(({ tenant }) => tenant);
  }

  addGrant(tenant: string): void {
    this.#sql.exec('INSERT OR IGNORE INTO grants VALUES (?)', tenant);
  }

  deleteGrant(tenant: string): void {
    this.#sql.exec('DELETE FROM grants WHERE tenant = ?', tenant);
  }

  /** Forgets the head: the next of its name begins anew. */
  clear(): void {
    for (const table of ['head', 'versions', 'aliases', 'grants']) this.#sql.exec(`DELETE FROM ${table}`);
  }

  #read<T>(key: string): T | null {
    const row = this.#sql.exec<{ value: string }>('SELECT value FROM head WHERE key = ?', key).toArray()[0];
    return row === undefined ? null : (JSON.parse(row.value) as T);
  }

  #write(key: string, value: unknown): void {
    this.#sql.exec('INSERT OR REPLACE INTO head VALUES (?, ?)', key, JSON.stringify(value));
  }
}
