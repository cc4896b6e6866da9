/** The tables of a ledger. */
import { addColumn, type Migration, migrate } from '../../storage/migrate.ts';

/** Release by release. */
const MIGRATIONS: readonly Migration[] = [
  { version: 1, apply: createFirstTables },
  { version: 2, apply: (sql) => addColumn(sql, 'events', 'traceparent', 'TEXT') },
];

/** Creates the tables, or brings those of an earlier release up to date. */
export function createTables(sql: SqlStorage): void {
  migrate(sql, 'ledger', MIGRATIONS);
}

/**
 * Creates what is not there yet, also in ledgers from before there were versions.
 *
 * `messages` is the memory of webhook ids. `events` holds one image each, from acceptance to the end of its delivery;
 * `next_at` is when something is to be done about it: queue it again, or call back. `failure` is JSON of why it was not judged
 * the last time. `exchange` is JSON of what an attempt sent and got, bounded. `decisions` is the audit log, also of images that
 * belong to no event; `tenant` is the key that asked for one, null if a source did. `reviews` is what people say about decisions
 * with the verdict `review`; until they do, it keeps where the image is. Times are ms since 1970.
 */
function createFirstTables(sql: SqlStorage): void {
  sql.exec(`
    CREATE TABLE IF NOT EXISTS messages (
      id TEXT PRIMARY KEY,
      body_sha256 TEXT NOT NULL,
      events TEXT NOT NULL,
      received_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS messages_body ON messages (body_sha256);
    CREATE INDEX IF NOT EXISTS messages_time ON messages (received_at);

    CREATE TABLE IF NOT EXISTS events (
      id TEXT PRIMARY KEY,
      message_id TEXT NOT NULL,
      reference TEXT NOT NULL,
      state TEXT NOT NULL,
      image TEXT,
      policy TEXT NOT NULL,
      url TEXT,
      metadata TEXT,
      decision TEXT,
      payload TEXT,
      requeues INTEGER NOT NULL DEFAULT 0,
      failures INTEGER NOT NULL DEFAULT 0,
      attempts INTEGER NOT NULL DEFAULT 0,
      next_at INTEGER,
      accepted_at INTEGER NOT NULL,
      finished_at INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS events_due ON events (state, next_at);
    CREATE INDEX IF NOT EXISTS events_delivery ON events (url, state, next_at);
    CREATE INDEX IF NOT EXISTS events_list ON events (accepted_at, id);
    CREATE INDEX IF NOT EXISTS events_finished ON events (finished_at);

    CREATE TABLE IF NOT EXISTS attempts (
      event_id TEXT NOT NULL,
      number INTEGER NOT NULL,
      started_at INTEGER NOT NULL,
      finished_at INTEGER,
      outcome TEXT,
      status INTEGER,
      detail TEXT,
      PRIMARY KEY (event_id, number)
    ) WITHOUT ROWID;

    CREATE TABLE IF NOT EXISTS endpoints (
      url TEXT PRIMARY KEY,
      disabled_at INTEGER,
      failing INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;

    CREATE TABLE IF NOT EXISTS decisions (
      id TEXT PRIMARY KEY,
      decided_at INTEGER NOT NULL,
      verdict TEXT NOT NULL,
      policy TEXT NOT NULL,
      reference TEXT,
      image_sha256 TEXT,
      event_id TEXT,
      body TEXT NOT NULL,
      tenant TEXT
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS decisions_list ON decisions (decided_at, id);
    CREATE INDEX IF NOT EXISTS decisions_verdict ON decisions (verdict, decided_at, id);

    CREATE TABLE IF NOT EXISTS reviews (
      decision_id TEXT PRIMARY KEY,
      state TEXT NOT NULL,
      image TEXT,
      key_id TEXT,
      name TEXT,
      claim_until INTEGER,
      reviewed_at INTEGER,
      note TEXT,
      callback_id TEXT
    ) WITHOUT ROWID;
  `);
  addColumn(sql, 'decisions', 'tenant', 'TEXT');
  addColumn(sql, 'attempts', 'exchange', 'TEXT');
  addColumn(sql, 'events', 'failure', 'TEXT');
  addColumn(sql, 'events', 'fetch_failures', 'INTEGER NOT NULL DEFAULT 0');
}
