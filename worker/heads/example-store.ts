/** The examples of a head, in its Durable Object's SQLite. */
import { type Migration, migrate } from '../storage/migrate.ts';
import type { Added, ExamplePage, ExampleRecord, ExampleSource, ExampleState, NewExample } from './records.ts';

const FIRST_TABLES = `
CREATE TABLE IF NOT EXISTS examples (
  id TEXT PRIMARY KEY,
  labels TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  source TEXT NOT NULL,
  state TEXT NOT NULL,
  embedding BLOB,
  stored INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS examples_state ON examples (state, id);
CREATE INDEX IF NOT EXISTS examples_content ON examples (sha256);
`;

/** Release by release. */
const MIGRATIONS: readonly Migration[] = [{ version: 1, apply: (sql) => void sql.exec(FIRST_TABLES) }];

type Row = {
  id: string;
  labels: string;
  sha256: string;
  source: string;
  state: ExampleState;
  stored: number;
  attempts: number;
  error: string | null;
  created_at: number;
};

/** An example that waits for its embedding. */
export interface PendingExample {
  readonly id: string;
  readonly source: ExampleSource;
  readonly stored: boolean;
  readonly attempts: number;
}

const COLUMNS = 'id, labels, sha256, source, state, stored, attempts, error, created_at';

export class ExampleStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    migrate(sql, 'examples', MIGRATIONS);
  }

  /** Adds examples; those whose content and label are there already change nothing, whatever was made of their label since. */
  add(examples: readonly (NewExample & { readonly id: string })[], nowMs: number): Added {
    let added = 0;
    for (const { id, labels, sha256, source, embedding, stored } of examples) {
      const { rowsWritten } = this.#sql.exec(
        'INSERT OR IGNORE INTO examples VALUES (?, ?, ?, ?, ?, ?, ?, 0, NULL, ?)',
        id,
        JSON.stringify(labels),
        sha256,
        JSON.stringify(source),
        embedding === null ? 'pending' : 'ready',
        embedding,
        stored ? 1 : 0,
        nowMs,
      );
      if (rowsWritten > 0) added++;
    }
    return { added, known: examples.length - added, ids: examples.map(({ id }) => id) };
  }

  /** Which of these ids are there. */
  known(ids: readonly string[]): Set<string> {
    const known = new Set<string>();
    for (const id of ids) if (this.#find(id) !== null) known.add(id);
    return known;
  }

  /** Examples by state. */
  counts(): Readonly<Record<ExampleState, number>> {
    const counts = { pending: 0, ready: 0, failed: 0 };
    for (const { state, n } of this.#sql.exec<{ state: ExampleState; n: number }>(
      'SELECT state, COUNT(*) AS n FROM examples GROUP BY state',
    )) {
      counts[state] = n;
    }
    return counts;
  }

  /** Examples of each label, by label; failed ones do not count. */
  classes(): Map<string, number> {
    const classes = new Map<string, number>();
    for (const { labels, n } of this.#sql.exec<{ labels: string; n: number }>(
      "SELECT labels, COUNT(*) AS n FROM examples WHERE state <> 'failed' GROUP BY labels",
    )) {
      for (const label of parseLabels(labels)) classes.set(label, (classes.get(label) ?? 0) + n);
    }
    return new Map([...classes].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Values of an embedding; null before there is one. */
  dimensions(): number | null {
    const row = this.#sql
      .exec<{ bytes: number }>("SELECT LENGTH(embedding) AS bytes FROM examples WHERE state = 'ready' LIMIT 1")
      .toArray()[0];
    return row === undefined ? null : row.bytes / 4;
  }

  /** A page of examples by id. */
  list(label: string | null, cursor: string | null, limit: number): ExamplePage {
    const rows = this.#sql
      .exec<Row>(
        `SELECT ${COLUMNS} FROM examples WHERE id > ? AND (? IS NULL OR labels = ? OR EXISTS
           (SELECT 1 FROM json_each(examples.labels) WHERE value = ?)) ORDER BY id LIMIT ?`,
        cursor ?? '',
        label,
        JSON.stringify([label]),
        label,
        limit + 1,
      )
      .toArray();
    const page = rows.slice(0, limit);
    return { examples: page.map(toRecord), cursor: rows.length > limit ? page.at(-1)!.id : null };
  }

  /** One example, or null. */
  find(id: string): ExampleRecord | null {
    const row = this.#find(id);
    return row === null ? null : toRecord(row);
  }

  /** The next examples to embed. */
  pending(limit: number): PendingExample[] {
    return this.#sql
      .exec<Row>(`SELECT ${COLUMNS} FROM examples WHERE state = 'pending' ORDER BY attempts, id LIMIT ?`, limit)
      .toArray()
      .map(({ id, source, stored, attempts }) => ({
        id,
        source: JSON.parse(source) as ExampleSource,
        stored: stored === 1,
        attempts,
      }));
  }

  /** Notes an embedding; nothing where the example is gone. */
  setEmbedding(id: string, embedding: Uint8Array, sha256: string): void {
    this.#sql.exec(
      "UPDATE examples SET embedding = ?, sha256 = ?, state = 'ready', error = NULL WHERE id = ?",
      embedding,
      sha256,
      id,
    );
  }

  /** Notes a failure: the example fails, or is tried again. */
  setFailure(id: string, error: { readonly code: string; readonly message: string }, final: boolean): void {
    this.#sql.exec(
      'UPDATE examples SET error = ?, attempts = attempts + 1, state = ? WHERE id = ?',
      JSON.stringify(error),
      final ? 'failed' : 'pending',
      id,
    );
  }

  /** Another label for an example. */
  setLabels(id: string, labels: readonly string[]): void {
    this.#sql.exec('UPDATE examples SET labels = ? WHERE id = ?', JSON.stringify(labels), id);
  }

  /** True where another example has this content and these labels. */
  hasTwin(id: string, sha256: string, labels: readonly string[]): boolean {
    const query = 'SELECT 1 AS one FROM examples WHERE sha256 = ? AND labels = ? AND id <> ?';
    return this.#sql.exec(query, sha256, JSON.stringify(labels), id).toArray().length > 0;
  }

  /** Deletes examples. @returns how many there were. */
  delete(ids: readonly string[]): number {
    let deleted = 0;
    for (const id of ids) deleted += this.#sql.exec('DELETE FROM examples WHERE id = ?', id).rowsWritten > 0 ? 1 : 0;
    return deleted;
  }

  /** Deletes every example. */
  clear(): void {
    this.#sql.exec('DELETE FROM examples');
  }

  /** Examples whose pictures cannot be had again: how many, and the first of them. @param kept whether uploads were kept. */
  withoutPicture(kept: boolean): { count: number; first: string } {
    return this.#sql
      .exec<{ count: number; first: string }>(
        `SELECT COUNT(*) AS count, COALESCE(MIN(id), '') AS first FROM examples
           WHERE json_extract(source, '$.kind') NOT IN ('url', 'r2') AND NOT (? AND stored = 1)`,
        kept ? 1 : 0,
      )
      .one();
  }

  /** Has every example wait to be embedded again. */
  forgetEmbeddings(): void {
    this.#sql.exec("UPDATE examples SET embedding = NULL, state = 'pending', attempts = 0, error = NULL");
  }

  /** Every example that has an embedding, by id, one after the other. */
  *ready(): Generator<{ id: string; labels: readonly string[]; embedding: ArrayBuffer }> {
    const cursor = this.#sql.exec<{ id: string; labels: string; embedding: ArrayBuffer }>(
      "SELECT id, labels, embedding FROM examples WHERE state = 'ready' ORDER BY id",
    );
    for (const { id, labels, embedding } of cursor) yield { id, labels: parseLabels(labels), embedding };
  }

  #find(id: string): Row | null {
    return this.#sql.exec<Row>(`SELECT ${COLUMNS} FROM examples WHERE id = ?`, id).toArray()[0] ?? null;
  }
}

function toRecord({ id, labels, sha256, source, state, error, created_at }: Row): ExampleRecord {
  return {
    id,
    labels: parseLabels(labels),
    sha256,
    source: JSON.parse(source) as ExampleSource,
    state,
    error: error === null ? null : (JSON.parse(error) as { code: string; message: string }),
    createdAtMs: created_at,
  };
}

function parseLabels(text: string): readonly string[] {
  return JSON.parse(text) as string[];
}
