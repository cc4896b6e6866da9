/**
 * The chunks of one job in its Durable Object's SQLite: which item is where, and what came of it. An item that has an outcome
 * never changes again (but for a retry of the failed), so reporting twice changes nothing. One row a chunk keeps writes few: a
 * million items are some thousand rows.
 */
import { utf8 } from '../bytes.ts';
import { type Migration, migrate } from '../storage/migrate.ts';
import type { ItemError, ItemOutcome, JobCounts, JobInput, LeasedItem, ParsedInput } from './records.ts';

/** One byte an item. */
const PENDING = 0;
const SUCCEEDED = 1;
const FAILED = 2;
const CANCELLED = 3;

/** An item that failed this often for reasons that may pass has failed. */
export const MAX_ITEM_ATTEMPTS = 5;

/**
 * Bytes of a chunk's inputs. They share a row with its result lines, which `MAX_CHUNK_LINES_BYTES` bounds; a chunk of longer inputs
 * becomes two.
 */
export const MAX_CHUNK_INPUTS_BYTES = 800_000;

/** A chunk that was sent this often and never came to an end is given up. */
export const MAX_CHUNK_DISPATCHES = 12;

const FIRST_TABLES = `
CREATE TABLE IF NOT EXISTS chunks (
  chunk INTEGER PRIMARY KEY,
  first INTEGER NOT NULL,
  items INTEGER NOT NULL,
  inputs TEXT NOT NULL,
  status BLOB NOT NULL,
  attempts BLOB NOT NULL,
  lines TEXT NOT NULL DEFAULT '{}',
  pending INTEGER NOT NULL,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  dispatched_at INTEGER,
  dispatches INTEGER NOT NULL DEFAULT 0,
  part TEXT,
  revision INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS chunks_sent ON chunks (dispatched_at) WHERE pending > 0 AND dispatched_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS chunks_unsent ON chunks (chunk) WHERE pending > 0 AND dispatched_at IS NULL;
CREATE INDEX IF NOT EXISTS chunks_uncompacted ON chunks (chunk) WHERE pending = 0 AND part IS NULL;
CREATE TABLE IF NOT EXISTS totals (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  total INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL
);
INSERT OR IGNORE INTO totals VALUES (0, 0, 0, 0, 0);
`;

/** Release by release. */
const MIGRATIONS: readonly Migration[] = [{ version: 1, apply: (sql) => void sql.exec(FIRST_TABLES) }];

type Row = {
  chunk: number;
  first: number;
  items: number;
  inputs: string;
  status: ArrayBuffer;
  attempts: ArrayBuffer;
  lines: string;
  pending: number;
  part: string | null;
  revision: number;
};

/** Where a chunk's results lie. */
export interface ChunkResults {
  readonly chunk: number;
  readonly first: number;
  readonly items: number;
  /** Key of the part in the jobs bucket; null where the lines are still here. */
  readonly part: string | null;
  /** True once every item has an outcome: its lines change no more, but for a retry of the failed. */
  readonly ended: boolean;
  /** Result lines by item, where `part` is null. */
  readonly lines: readonly string[];
}

/** Not shared: each method runs in one turn of its Durable Object. */
export class ChunkStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    migrate(sql, 'chunks', MIGRATIONS);
  }

  /** Adds a chunk of inputs behind the last one, or more where they are long; lines that were none are failed at once. */
  append(inputs: readonly ParsedInput[]): void {
    const text = JSON.stringify(inputs.map((parsed) => ('input' in parsed ? parsed.input : null)));
    if (inputs.length > 1 && utf8(text).byteLength > MAX_CHUNK_INPUTS_BYTES) {
      const middle = inputs.length >> 1;
      this.append(inputs.slice(0, middle));
      this.append(inputs.slice(middle));
      return;
    }
    const { chunk, first } = this.#sql
      .exec<{ chunk: number; first: number }>(
        'SELECT COALESCE(MAX(chunk) + 1, 0) AS chunk, COALESCE(MAX(first + items), 0) AS first FROM chunks',
      )
      .one();
    const status = new Uint8Array(inputs.length);
    const lines: Record<number, string> = {};
    let failed = 0;
    inputs.forEach((parsed, offset) => {
      if ('input' in parsed) return;
      status[offset] = FAILED;
      lines[first + offset] = failureLine(first + offset, undefined, parsed.error);
      failed++;
    });
    this.#sql.exec(
      'INSERT INTO chunks (chunk, first, items, inputs, status, attempts, lines, pending, failed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      chunk,
      first,
      inputs.length,
      text,
      status,
      new Uint8Array(inputs.length),
      JSON.stringify(lines),
      inputs.length - failed,
      failed,
    );
    this.#count(inputs.length, inputs.length - failed, 0, failed);
  }

  /** Items by outcome. */
  counts(): JobCounts {
    const row = this.#sql
      .exec<{ total: number; pending: number; succeeded: number; failed: number }>(
        'SELECT total, pending, succeeded, failed FROM totals',
      )
      .one();
    return { ...row, cancelled: row.total - row.pending - row.succeeded - row.failed };
  }

  /** Chunks that were sent and have not ended. */
  inFlight(): number {
    return this.#sql
      .exec<{ n: number }>('SELECT COUNT(*) AS n FROM chunks WHERE pending > 0 AND dispatched_at IS NOT NULL')
      .one().n;
  }

  /** The next `limit` chunks that were never sent, or whose sending was taken back. */
  undispatched(limit: number): number[] {
    return this.#sql
      .exec<{ chunk: number }>(
        'SELECT chunk FROM chunks WHERE pending > 0 AND dispatched_at IS NULL ORDER BY chunk LIMIT ?',
        limit,
      )
      .toArray()
      .map(({ chunk }) => chunk);
  }

  /** Notes that chunks were sent. */
  markDispatched(chunks: readonly number[], nowMs: number): void {
    for (const chunk of chunks) {
      this.#sql.exec('UPDATE chunks SET dispatched_at = ?, dispatches = dispatches + 1 WHERE chunk = ?', nowMs, chunk);
    }
  }

  /** Notes a sign of life of a chunk. */
  touch(chunk: number, nowMs: number): void {
    this.#sql.exec('UPDATE chunks SET dispatched_at = ? WHERE chunk = ? AND pending > 0', nowMs, chunk);
  }

  /** Takes the sending of a chunk back, so that it is sent again; gives it up where that was done too often. */
  takeBack(chunk: number): void {
    const row = this.#sql
      .exec<{ dispatches: number }>('SELECT dispatches FROM chunks WHERE chunk = ?', chunk)
      .toArray()[0];
    if (row === undefined) return;
    if (row.dispatches >= MAX_CHUNK_DISPATCHES) {
      const message = `the chunk was sent ${row.dispatches} times and never came to an end`;
      const error = { code: 'chunk_abandoned', message };
      const outcomes = this.lease(chunk).map(({ index }) => ({ index, status: 'failed', error }) as const);
      this.report(chunk, outcomes);
    } else this.#sql.exec('UPDATE chunks SET dispatched_at = NULL WHERE chunk = ?', chunk);
  }

  /** Takes back every chunk that was sent before `beforeMs` and is silent since. @returns how many. */
  takeBackSilent(beforeMs: number): number {
    const silent = this.silent(beforeMs);
    for (const chunk of silent) this.takeBack(chunk);
    return silent.length;
  }

  /** Chunks that were sent before `beforeMs` and of which nothing was heard since. */
  silent(beforeMs: number): number[] {
    return this.#sql
      .exec<{ chunk: number }>('SELECT chunk FROM chunks WHERE pending > 0 AND dispatched_at <= ?', beforeMs)
      .toArray()
      .map(({ chunk }) => chunk);
  }

  /** Items of a chunk without an outcome. */
  pending(chunk: number): number {
    return this.#row(chunk)?.pending ?? 0;
  }

  /** The client's names of a chunk's items, by their index; those that have one. */
  ids(chunk: number): Map<number, string> {
    const row = this.#row(chunk);
    const ids = new Map<number, string>();
    if (row === undefined) return ids;
    (JSON.parse(row.inputs) as (JobInput | null)[]).forEach((input, offset) => {
      if (input?.id !== undefined) ids.set(row.first + offset, input.id);
    });
    return ids;
  }

  /** The items of a chunk that have no outcome yet. */
  lease(chunk: number): LeasedItem[] {
    const row = this.#row(chunk);
    if (row === undefined || row.pending === 0) return [];
    const inputs = JSON.parse(row.inputs) as (JobInput | null)[];
    const status = new Uint8Array(row.status);
    const items: LeasedItem[] = [];
    inputs.forEach((input, offset) => {
      if (input !== null && status[offset] === PENDING) items.push({ index: row.first + offset, input });
    });
    return items;
  }

  /**
   * Writes outcomes down. Items that have one keep it; a retry is counted, and is a failure once there were too many.
   * @returns items that got their outcome now, and whether the chunk has come to its end with it.
   */
  report(chunk: number, outcomes: readonly ItemOutcome[]): { finished: number; chunkEnded: boolean } {
    const row = this.#row(chunk);
    if (row === undefined || row.pending === 0) return { finished: 0, chunkEnded: false };
    const inputs = JSON.parse(row.inputs) as (JobInput | null)[];
    const status = new Uint8Array(row.status.slice(0));
    const attempts = new Uint8Array(row.attempts.slice(0));
    const lines = JSON.parse(row.lines) as Record<number, string>;
    let succeeded = 0;
    let failed = 0;
    for (const outcome of outcomes) {
      const offset = outcome.index - row.first;
      if (offset < 0 || offset >= row.items || status[offset] !== PENDING) continue;
      if (outcome.status === 'succeeded') {
        status[offset] = SUCCEEDED;
        lines[outcome.index] = outcome.line;
        succeeded++;
        continue;
      }
      attempts[offset] = Math.min(255, attempts[offset]! + 1);
      if (outcome.status === 'retry' && attempts[offset]! < MAX_ITEM_ATTEMPTS) continue;
      status[offset] = FAILED;
      lines[outcome.index] = failureLine(outcome.index, inputs[offset]?.id, outcome.error);
      failed++;
    }
    const pending = row.pending - succeeded - failed;
    this.#sql.exec(
      'UPDATE chunks SET status = ?, attempts = ?, lines = ?, pending = ?, succeeded = succeeded + ?, failed = failed + ? WHERE chunk = ?',
      status,
      attempts,
      JSON.stringify(lines),
      pending,
      succeeded,
      failed,
      chunk,
    );
    this.#count(0, -succeeded - failed, succeeded, failed);
    return { finished: succeeded + failed, chunkEnded: pending === 0 };
  }

  /** Gives up what is pending. */
  cancel(): void {
    for (const { chunk, status } of this.#sql
      .exec<{ chunk: number; status: ArrayBuffer }>('SELECT chunk, status FROM chunks WHERE pending > 0')
      .toArray()) {
      const cancelled = new Uint8Array(status.slice(0)).map((each) => (each === PENDING ? CANCELLED : each));
      this.#sql.exec('UPDATE chunks SET status = ?, pending = 0 WHERE chunk = ?', cancelled, chunk);
    }
    this.#sql.exec('UPDATE totals SET pending = 0');
  }

  /** Chunks with failed items. */
  chunksWithFailures(): number[] {
    return this.#sql
      .exec<{ chunk: number }>('SELECT chunk FROM chunks WHERE failed > 0 ORDER BY chunk')
      .toArray()
      .map(({ chunk }) => chunk);
  }

  /**
   * Makes the failed items of a chunk pending again.
   * @param lines all its result lines, read back from its part where it has one.
   * @returns how many items.
   */
  retryFailed(chunk: number, lines: readonly string[]): number {
    const row = this.#row(chunk);
    if (row === undefined) return 0;
    const inputs = JSON.parse(row.inputs) as (JobInput | null)[];
    const status = new Uint8Array(row.status.slice(0));
    const attempts = new Uint8Array(row.attempts.slice(0));
    let retried = 0;
    status.forEach((each, offset) => {
      // A line that was no input will not become one.
      if (each !== FAILED || inputs[offset] === null) return;
      status[offset] = PENDING;
      attempts[offset] = 0;
      retried++;
    });
    if (retried === 0) return 0;
    const kept: Record<number, string> = {};
    for (const line of lines) {
      const { index } = JSON.parse(line) as { index: number };
      if (status[index - row.first] !== PENDING) kept[index] = line;
    }
    this.#sql.exec(
      'UPDATE chunks SET status = ?, attempts = ?, lines = ?, pending = ?, failed = failed - ?, part = NULL, revision = revision + 1, dispatched_at = NULL, dispatches = 0 WHERE chunk = ?',
      status,
      attempts,
      JSON.stringify(kept),
      retried,
      retried,
      chunk,
    );
    this.#count(0, retried, 0, -retried);
    return retried;
  }

  /** Ended chunks whose lines are still here. */
  uncompacted(limit: number): { chunk: number; revision: number; lines: string[] }[] {
    return this.#sql
      .exec<Row>('SELECT * FROM chunks WHERE pending = 0 AND part IS NULL ORDER BY chunk LIMIT ?', limit)
      .toArray()
      .map((row) => ({ chunk: row.chunk, revision: row.revision, lines: sortedLines(row.lines) }));
  }

  /** Notes that a chunk's lines lie in a part now, unless it was opened again meanwhile. */
  setPart(chunk: number, revision: number, part: string): void {
    this.#sql.exec(
      "UPDATE chunks SET part = ?, lines = '{}' WHERE chunk = ? AND revision = ? AND pending = 0",
      part,
      chunk,
      revision,
    );
  }

  /** The results of chunks from `fromChunk` on, at most `limit` chunks. */
  results(fromChunk: number, limit: number): ChunkResults[] {
    return this.#sql
      .exec<Row>('SELECT * FROM chunks WHERE chunk >= ? ORDER BY chunk LIMIT ?', fromChunk, limit)
      .toArray()
      .map(({ chunk, first, items, part, lines, pending }) => ({
        chunk,
        first,
        items,
        part,
        ended: pending === 0,
        lines: part === null ? sortedLines(lines) : [],
      }));
  }

  /** Moves the totals, so that asking for them costs one row however many chunks there are. */
  #count(total: number, pending: number, succeeded: number, failed: number): void {
    this.#sql.exec(
      'UPDATE totals SET total = total + ?, pending = pending + ?, succeeded = succeeded + ?, failed = failed + ?',
      total,
      pending,
      succeeded,
      failed,
    );
  }

  #row(chunk: number): Row | undefined {
    return this.#sql.exec<Row>('SELECT * FROM chunks WHERE chunk = ?', chunk).toArray()[0];
  }
}

/** Lines in the order of their items. */
function sortedLines(json: string): string[] {
  const lines = JSON.parse(json) as Record<string, string>;
  return Object.keys(lines)
    .map(Number)
    .sort((a, b) => a - b)
    .map((index) => lines[index]!);
}

/** The result line of an item that failed. */
function failureLine(index: number, id: string | undefined, error: ItemError): string {
  return JSON.stringify({ index, ...(id === undefined ? {} : { id }), status: 'failed', error });
}
