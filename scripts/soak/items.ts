/**
 * The soak of bulk jobs: one job through a local worker and a GPU backend, while the backend is killed twice, the worker once,
 * and the images are taken out of R2 for a while. Then every item must have one result, and only broken images may have failed.
 */
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildDefaultModel } from '../cli/build-default-model.ts';
import { makeTemporaryFolder } from '../process/ending.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../start/dev-server.ts';
import { seedDefaultModel } from '../start/seed.ts';
import { GpuProcess } from './gpu-process.ts';
import { type SeededImages, seedImages } from './seed-images.ts';

const IMAGES = 300;

/** Every so many inputs one is broken. */
const BROKEN_EVERY = 500;

/** How long the backend stays away after each kill, and the images out of R2. */
const BACKEND_AWAY_MS = 3_000;
const IMAGES_AWAY_MS = 3_000;

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 500;

/** Gives up when no item has come to its end for so long. */
const STALLED_MS = 120_000;

/** A chunk whose message went with the worker's queue is sent again after the silence. */
const VARIABLES = {
  JOB_SILENCE_MS: '20000',
  JOB_TICK_MS: '1000',
  JOB_RETRY_SECONDS: '1',
} as const;

interface JobAnswer {
  readonly id: string;
  readonly state: string;
  readonly counts: Readonly<Record<'total' | 'pending' | 'succeeded' | 'failed' | 'cancelled', number>>;
}

interface ResultLine {
  readonly index: number;
  readonly id?: string;
  readonly status: string;
  readonly engine?: 'gpu' | 'wasm';
  readonly error?: { readonly code: string };
}

/** What the soak ends with. */
export interface ItemSoakReport {
  readonly items: number;
  /** Result lines read. */
  readonly results: number;
  /** Indices without a line. */
  readonly missing: number;
  /** Lines beyond the first of an index. */
  readonly doubled: number;
  readonly failed: number;
  /** From the submission to the job's first end, without the seeding. */
  readonly seconds: number;
  readonly images_per_s: number;
}

/** How the soak is run. */
export interface ItemSoakOptions {
  /** True: nothing is killed, no image is broken. */
  readonly calm: boolean;
  /** `JOB_ENGINE` of the worker. */
  readonly engine: string;
}

/** Runs the soak on a deployment of its own. */
export async function soakItems(
  count: number,
  log: (line: string) => void,
  options: ItemSoakOptions,
): Promise<{ report: ItemSoakReport; problems: string[] }> {
  const statePath = await makeTemporaryFolder('bit-edge-soak-');
  const soak = new ItemSoak(count, statePath, log, options);
  try {
    return await soak.run();
  } finally {
    await soak.stop();
    await rm(statePath, { recursive: true, force: true });
  }
}

class ItemSoak {
  readonly #count: number;
  readonly #statePath: string;
  readonly #log: (line: string) => void;
  readonly #problems: string[] = [];
  #backend: GpuProcess | null = null;
  #server: DevServer | null = null;
  readonly #options: ItemSoakOptions;
  #port = 0;

  constructor(count: number, statePath: string, log: (line: string) => void, options: ItemSoakOptions) {
    this.#options = options;
    this.#count = count;
    this.#statePath = statePath;
    this.#log = log;
  }

  async run(): Promise<{ report: ItemSoakReport; problems: string[] }> {
    await seedDefaultModel(this.#statePath);
    const seeded = await seedImages(this.#statePath, IMAGES);
    const store = join(this.#statePath, 'gpu-store');
    await buildDefaultModel(join(store, 'models'));
    this.#backend = new GpuProcess(await findFreePort(), store);
    await this.#backend.start();
    this.#port = await findFreePort();
    await this.#startWorker();
    const started = performance.now();
    const { id } = await this.#submit(seeded);
    this.#log(`started  ${id}: ${this.#count} items; worker ${this.#server?.url}, backend ${this.#backend.url}`);
    if (!this.#options.calm) await this.#breakThings(id);
    await this.#untilCompleted(id);
    const seconds = (performance.now() - started) / 1000;
    await this.#retryUnfairlyFailed(id);
    return this.#verify(id, seconds);
  }

  async stop(): Promise<void> {
    await this.#server?.kill();
    await this.#backend?.kill();
  }

  async #startWorker(): Promise<void> {
    const variables = { ...VARIABLES, JOB_ENGINE: this.#options.engine, GPU_BACKEND_URL: this.#backend!.url };
    this.#server = await startDevServer({ port: this.#port, statePath: this.#statePath, variables });
    await waitUntilOk(`${this.#server.url}/readyz`, READY_TIMEOUT_MS);
  }

  async #submit({ images, broken }: SeededImages): Promise<JobAnswer> {
    const lines = Array.from({ length: this.#count }, (_, index) =>
      JSON.stringify({ r2: this.#isBroken(index) ? broken : images[index % images.length], id: `item-${index}` }),
    );
    const response = await fetch(this.#url('/v1/jobs?top_k=1'), {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': 'soak' },
      body: lines.join('\n'),
    });
    if (response.status !== 202) throw new Error(`the job was refused: ${response.status} ${await response.text()}`);
    return (await response.json()) as JobAnswer;
  }

  #isBroken(index: number): boolean {
    return !this.#options.calm && index % BROKEN_EVERY === BROKEN_EVERY - 1;
  }

  /** At fixed shares of the job. */
  async #breakThings(id: string): Promise<void> {
    await this.#untilShare(id, 0.1);
    await this.#killBackend();
    await this.#untilShare(id, 0.3);
    await this.#server?.kill();
    this.#log('killed   the worker, and its queue with it');
    await this.#startWorker();
    await this.#untilShare(id, 0.5);
    await this.#takeImagesAway();
    await this.#untilShare(id, 0.7);
    await this.#killBackend();
  }

  async #killBackend(): Promise<void> {
    await this.#backend!.kill();
    this.#log('killed   the backend');
    await pause(BACKEND_AWAY_MS);
    await this.#backend!.start();
  }

  /** R2 still lists the objects, and reads of them fail: their bytes are moved aside on the disk. */
  async #takeImagesAway(): Promise<void> {
    const bucket = join(this.#statePath, 'v3/r2/bit-edge-uploads');
    const folders = (await readdir(bucket)).filter((name) => name === 'blobs');
    if (folders.length === 0) this.#problems.push(`there are no blobs in ${bucket}: R2 was not made to fail`);
    for (const name of folders) await rename(join(bucket, name), join(bucket, `${name}-away`));
    this.#log('failing  R2: the images are gone');
    await pause(IMAGES_AWAY_MS);
    for (const name of folders) {
      await rm(join(bucket, name), { recursive: true, force: true });
      await rename(join(bucket, `${name}-away`), join(bucket, name));
    }
  }

  async #untilShare(id: string, share: number): Promise<void> {
    await this.#until(id, ({ counts }) => counts.succeeded + counts.failed >= this.#count * share);
  }

  async #untilCompleted(id: string): Promise<void> {
    await this.#until(id, ({ state }) => state === 'completed');
  }

  async #until(id: string, reached: (job: JobAnswer) => boolean): Promise<void> {
    let last = -1;
    let changedAt = Date.now();
    for (;;) {
      const job = await this.#get<JobAnswer>(`/v1/jobs/${id}`);
      const { total, pending, succeeded, failed, cancelled } = job.counts;
      if (total !== pending + succeeded + failed + cancelled) {
        this.#problems.push(`the counts do not add up: ${JSON.stringify(job.counts)}`);
      }
      if (reached(job)) return;
      const done = succeeded + failed;
      if (done !== last) {
        last = done;
        changedAt = Date.now();
        this.#log(`${job.state.padEnd(9)}${JSON.stringify(job.counts)}`);
      } else if (Date.now() - changedAt > STALLED_MS) {
        throw new Error(`nothing has moved for ${STALLED_MS / 1000} s: ${JSON.stringify(job)}`);
      }
      await pause(POLL_MS);
    }
  }

  /** Images that were gone when they were read have failed; the job is asked to try them again. */
  async #retryUnfairlyFailed(id: string): Promise<void> {
    const lines = await this.#results(id);
    const unfair = lines.filter(({ index, status }) => status === 'failed' && !this.#isBroken(index));
    if (unfair.length === 0) return;
    const codes = new Set(unfair.map(({ error }) => error?.code));
    this.#log(`retrying ${unfair.length} items that failed with ${[...codes].join(', ')}`);
    const wrong = unfair.filter(({ error }) => error?.code !== 'object_not_found');
    if (wrong.length > 0) this.#problems.push(`failed for good: ${JSON.stringify(wrong.slice(0, 3))}`);
    const response = await fetch(this.#url(`/v1/jobs/${id}/retry`), { method: 'POST' });
    if (response.status !== 202) throw new Error(`retry: ${response.status} ${await response.text()}`);
    await this.#untilCompleted(id);
  }

  async #verify(id: string, seconds: number): Promise<{ report: ItemSoakReport; problems: string[] }> {
    const lines = await this.#results(id);
    const { counts } = await this.#get<JobAnswer>(`/v1/jobs/${id}`);
    const seen = new Set(lines.map(({ index }) => index));
    const failed = lines.filter(({ status }) => status === 'failed');
    const engines = Object.fromEntries(
      (['gpu', 'wasm'] as const).map((name) => [name, lines.filter(({ engine }) => engine === name).length]),
    );
    this.#log(`answered ${JSON.stringify(engines)}`);
    const problem = (holds: boolean, text: string): void => {
      if (!holds) this.#problems.push(text);
    };
    const broken = this.#options.calm ? 0 : Math.floor(this.#count / BROKEN_EVERY);
    problem(counts.total === this.#count && counts.pending === 0, `counts at the end: ${JSON.stringify(counts)}`);
    problem(counts.failed === failed.length, `${counts.failed} failed by the counts, ${failed.length} by the lines`);
    problem(
      failed.length === broken && failed.every(({ index }) => this.#isBroken(index)),
      `${failed.length} failed, ${broken} were broken`,
    );
    problem(
      lines.every(({ index, id: name }) => name === `item-${index}`),
      'a line has the name of another item',
    );
    problem(engines.gpu! > 0, 'the backend answered nothing');
    const report: ItemSoakReport = {
      items: this.#count,
      results: lines.length,
      missing: this.#count - [...seen].filter((index) => index >= 0 && index < this.#count).length,
      doubled: lines.length - seen.size,
      failed: failed.length,
      seconds: Math.round(seconds * 10) / 10,
      images_per_s: Math.round((this.#count / seconds) * 10) / 10,
    };
    problem(report.missing === 0, `${report.missing} items have no result`);
    problem(report.doubled === 0, `${report.doubled} results are doubled`);
    return { report, problems: this.#problems };
  }

  async #results(id: string): Promise<ResultLine[]> {
    const lines: ResultLine[] = [];
    for (let cursor: string | null = '0-0'; cursor !== null; ) {
      const response: Response = await fetch(this.#url(`/v1/jobs/${id}/results?cursor=${cursor}&limit=3000`));
      if (!response.ok) throw new Error(`results: ${response.status} ${await response.text()}`);
      const text = await response.text();
      for (const line of text.split('\n')) if (line !== '') lines.push(JSON.parse(line) as ResultLine);
      cursor = response.headers.get('x-next-cursor');
    }
    return lines;
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(this.#url(path));
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
