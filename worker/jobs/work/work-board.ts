/**
 * The board: chunks that jobs offer to GPU workers, and who holds which. It decides nothing about items: what is pending and what came
 * of it is the job's to say, so a lease that is stolen, doubled or lost costs work at most. A chunk that is on the board is the
 * board's to look after: jobs leave it alone until the board has let go of it.
 */
import { DurableObject } from 'cloudflare:workers';
import { MAX_BATCH_MESSAGES } from '../../platform-limits.ts';
import { type Migration, migrate } from '../../storage/migrate.ts';
import type { ChunkMessage } from '../records.ts';
import type { HeldChunk, ReleaseReason } from './records.ts';
import { readWorkSettings, type WorkSettings } from './work-settings.ts';

/** A chunk that so many workers took and never finished is let go of: its job sends it again, or gives it up. */
export const MAX_LEASES = 5;

/** Longest delay of a chunk with items left over, in ms. */
const MAX_DELAY_MS = 300_000;

/** Workers that are remembered: those that come and go leave rows behind. */
const FORGET_WORKERS_MS = 3_600_000;

/** Name of the one board of a deployment. */
const BOARD_NAME = 'board';

const FIRST_TABLES = `
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL,
  chunk INTEGER NOT NULL,
  fallback INTEGER NOT NULL,
  visible_at INTEGER NOT NULL,
  lease TEXT,
  holder TEXT,
  leases INTEGER NOT NULL DEFAULT 0,
  delays INTEGER NOT NULL DEFAULT 0,
  UNIQUE (job, chunk)
);
CREATE UNIQUE INDEX IF NOT EXISTS entries_lease ON entries (lease) WHERE lease IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_visible ON entries (visible_at);
CREATE TABLE IF NOT EXISTS workers (
  holder TEXT NOT NULL,
  worker TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (holder, worker)
);
`;

/** Release by release. */
const MIGRATIONS: readonly Migration[] = [{ version: 1, apply: (sql) => void sql.exec(FIRST_TABLES) }];

type Entry = {
  id: number;
  job: string;
  chunk: number;
  fallback: number;
  visible_at: number;
  lease: string | null;
  holder: string | null;
  leases: number;
  delays: number;
};

/** What the board needs of the environment. */
export interface WorkBoardEnv {
  readonly JOBS_QUEUE: Queue<ChunkMessage>;
}

/** The board of a deployment. */
export function boardOf(boards: DurableObjectNamespace<WorkBoard>): DurableObjectStub<WorkBoard> {
  return boards.get(boards.idFromName(BOARD_NAME));
}

/** See the file's header. Methods are called over RPC by jobs and by the routes of workers. */
export class WorkBoard extends DurableObject<WorkBoardEnv> {
  readonly #sql: SqlStorage;
  readonly #settings: WorkSettings;

  constructor(context: DurableObjectState, env: WorkBoardEnv) {
    super(context, env);
    this.#sql = context.storage.sql;
    migrate(this.#sql, 'board', MIGRATIONS);
    this.#settings = readWorkSettings({ ...env });
  }

  /** True where a worker was heard of lately. */
  isAttended(): boolean {
    return this.#seenAt() > Date.now() - this.#settings.seenMs;
  }

  /**
   * Offers chunks of a job to workers. Those that are on the board already stay as they are.
   * @param fallback true where the queue's consumer may work on them too: then they are taken only while there are workers.
   * @returns whether the board has taken them.
   */
  async post(job: string, chunks: readonly number[], fallback: boolean): Promise<boolean> {
    if (fallback && !this.isAttended()) return false;
    const now = Date.now();
    for (const chunk of chunks) {
      this.#sql.exec(
        'INSERT INTO entries (job, chunk, fallback, visible_at) VALUES (?, ?, ?, ?) ON CONFLICT (job, chunk) DO NOTHING',
        job,
        chunk,
        fallback ? 1 : 0,
        now,
      );
    }
    await this.#schedule();
    return true;
  }

  /** Which of a job's chunks are on the board. */
  holding(job: string, chunks: readonly number[]): number[] {
    const held = new Set(
      this.#sql
        .exec<{ chunk: number }>('SELECT chunk FROM entries WHERE job = ?', job)
        .toArray()
        .map(({ chunk }) => chunk),
    );
    return chunks.filter((chunk) => held.has(chunk));
  }

  /**
   * Gives chunks to a worker, the oldest first; those whose lease has run out among them.
   * @param holder id of the worker's API key: only the same key can use the leases.
   */
  async lease(holder: string, worker: string, max: number): Promise<HeldChunk[]> {
    const now = Date.now();
    this.#sql.exec('DELETE FROM workers WHERE seen_at < ?', now - FORGET_WORKERS_MS);
    this.#see(holder, worker, now);
    this.#letGo(now);
    const entries = this.#sql
      .exec<Entry>('SELECT * FROM entries WHERE visible_at <= ? ORDER BY id LIMIT ?', now, max)
      .toArray();
    const held = entries.map(({ id, job, chunk, leases }) => {
      const lease = `lease_${crypto.randomUUID().replaceAll('-', '')}`;
      this.#sql.exec(
        'UPDATE entries SET lease = ?, holder = ?, leases = leases + 1, visible_at = ? WHERE id = ?',
        lease,
        holder,
        now + this.#settings.leaseMs,
        id,
      );
      return { lease, job, chunk, attempt: leases + 1 };
    });
    await this.#schedule();
    return held;
  }

  /**
   * Renews leases. One that has run out is renewed as well, unless another worker has the chunk by now.
   * @returns those that the holder still has.
   */
  async renew(holder: string, worker: string, leases: readonly string[]): Promise<string[]> {
    const now = Date.now();
    this.#see(holder, worker, now);
    const kept = leases.filter((lease) => this.#find(holder, lease) !== null);
    for (const lease of kept) this.#extend(lease, now);
    await this.#schedule();
    return kept;
  }

  /** The chunk of a lease, which this renews; null where the holder does not have it. */
  async hold(holder: string, lease: string): Promise<HeldChunk | null> {
    const entry = this.#find(holder, lease);
    if (entry === null) return null;
    this.#extend(lease, Date.now());
    await this.#schedule();
    return { lease, job: entry.job, chunk: entry.chunk, attempt: entry.leases };
  }

  /** Takes a chunk off the board: nothing is left to do. */
  settle(holder: string, lease: string): void {
    this.#sql.exec('DELETE FROM entries WHERE lease = ? AND holder = ?', lease, holder);
  }

  /** Takes a chunk back from its worker. @returns false where the holder does not have it. */
  async release(holder: string, lease: string, reason: ReleaseReason): Promise<boolean> {
    const entry = this.#find(holder, lease);
    if (entry === null) return false;
    if (reason === 'unable' && entry.fallback === 1) {
      await this.#sendToQueue([entry]);
      return true;
    }
    const delay = reason === 'stopping' ? 0 : Math.min(this.#settings.retryMs * 2 ** entry.delays, MAX_DELAY_MS);
    this.#sql.exec(
      'UPDATE entries SET lease = NULL, holder = NULL, visible_at = ?, leases = leases - ?, delays = delays + ? WHERE id = ?',
      Date.now() + delay,
      // What no worker can do must end some time.
      reason === 'unable' ? 0 : 1,
      reason === 'stopping' ? 0 : 1,
      entry.id,
    );
    await this.#schedule();
    return true;
  }

  /** The key with which links to images are signed. */
  async linkSecret(): Promise<ArrayBuffer> {
    const { storage } = this.ctx;
    const stored = await storage.get<ArrayBuffer>('link-secret');
    if (stored !== undefined) return stored;
    const secret = crypto.getRandomValues(new Uint8Array(32)).buffer;
    await storage.put('link-secret', secret);
    return secret;
  }

  override async alarm(): Promise<void> {
    const now = Date.now();
    this.#letGo(now);
    if (!this.isAttended()) {
      const waiting = this.#sql
        .exec<Entry>('SELECT * FROM entries WHERE fallback = 1 AND visible_at <= ? ORDER BY id', now)
        .toArray();
      for (let at = 0; at < waiting.length; at += MAX_BATCH_MESSAGES)
        await this.#sendToQueue(waiting.slice(at, at + MAX_BATCH_MESSAGES));
    }
    await this.#schedule();
  }

  /** Sent first: a chunk that is sent and still here is worked on twice, one that is neither waits for its job's silence. */
  async #sendToQueue(entries: readonly Entry[]): Promise<void> {
    await this.env.JOBS_QUEUE.sendBatch(entries.map(({ job, chunk }) => ({ body: { v: 1, job, chunk } })));
    for (const { id, lease } of entries) {
      this.#sql.exec('DELETE FROM entries WHERE id = ? AND lease IS ?', id, lease);
    }
  }

  /** Chunks that no worker finishes; their jobs hear no sign of life of them any more. */
  #letGo(now: number): void {
    this.#sql.exec('DELETE FROM entries WHERE visible_at <= ? AND leases >= ?', now, MAX_LEASES);
  }

  #find(holder: string, lease: string): Entry | null {
    return (
      this.#sql.exec<Entry>('SELECT * FROM entries WHERE lease = ? AND holder = ?', lease, holder).toArray()[0] ?? null
    );
  }

  #extend(lease: string, now: number): void {
    this.#sql.exec('UPDATE entries SET visible_at = ? WHERE lease = ?', now + this.#settings.leaseMs, lease);
  }

  #see(holder: string, worker: string, now: number): void {
    this.#sql.exec('INSERT OR REPLACE INTO workers (holder, worker, seen_at) VALUES (?, ?, ?)', holder, worker, now);
  }

  #seenAt(): number {
    return (
      this.#sql.exec<{ seen_at: number | null }>('SELECT MAX(seen_at) AS seen_at FROM workers').one().seen_at ??
      Number.NEGATIVE_INFINITY
    );
  }

  /** Wakes up when workers that are gone may have left something behind that the queue's consumer can do. */
  async #schedule(): Promise<void> {
    const { visible_at: next } = this.#sql
      .exec<{ visible_at: number | null }>('SELECT MIN(visible_at) AS visible_at FROM entries WHERE fallback = 1')
      .one();
    if (next === null) return this.ctx.storage.deleteAlarm();
    const goneAt = this.#seenAt() + this.#settings.seenMs;
    const at = Math.max(next, goneAt, Date.now());
    if ((await this.ctx.storage.getAlarm()) !== at) await this.ctx.storage.setAlarm(at);
  }
}
