/** The worker: takes chunks while it has room for them, works on them side by side, and gives back what it holds when it stops. */
import { RuntimeError } from '../../worker/errors.ts';
import { urlPolicyOf } from '../../worker/fetch/url-policy.ts';
import { ConcurrencyLimit } from '../../worker/jobs/concurrency-limit.ts';
import type { WorkOutcome } from '../../worker/jobs/work/records.ts';
import type { Log } from '../log.ts';
import { type AnswerRules, type AnswerServices, answerImage } from './answer-image.ts';
import { ChunkRun } from './chunk-run.ts';
import { type Deployment, KeyRefused, type LeaseAnswer, type LeasedChunk } from './deployment.ts';
import { guardedFetch } from './guarded-fetch.ts';
import type { WorkModels } from './models.ts';

/** How often is asked for work when there was none: doubles up to the second figure. */
const POLL_MS = 200;
const MAX_POLL_MS = 2000;

/** Leases are renewed this often before they run out. */
const RENEWALS = 3;

/** What a worker is made of. */
export interface GpuWorkerOptions extends AnswerServices {
  readonly deployment: Deployment;
  readonly models: WorkModels;
  /** Images that are read, decoded and run at a time. */
  readonly images: number;
  readonly log: Log;
}

/** What a worker has done so far. */
export interface WorkerCounts {
  succeeded: number;
  failed: number;
  /** Items that another try may answer. */
  retried: number;
  chunks: number;
  /** Chunks that other workers have taken over. */
  lost: number;
}

/** See the file's header. */
export class GpuWorker {
  readonly counts: WorkerCounts = { succeeded: 0, failed: 0, retried: 0, chunks: 0, lost: 0 };
  readonly #options: GpuWorkerOptions;
  readonly #limit: ConcurrencyLimit;
  readonly #runs = new Map<ChunkRun, Promise<void>>();
  readonly #stopping = Promise.withResolvers<void>();
  #isStopping = false;
  #failure: unknown = null;
  #itemsHeld = 0;
  #renewal: NodeJS.Timeout | null = null;

  constructor(options: GpuWorkerOptions) {
    this.#options = options;
    this.#limit = new ConcurrencyLimit(options.images);
  }

  /** Chunks that are held now. */
  get held(): number {
    return this.#runs.size;
  }

  /** From now on nothing new is begun; `run` ends once what is under way is reported and the rest given back. */
  stop(): void {
    this.#isStopping = true;
    this.#stopping.resolve();
    for (const run of this.#runs.keys()) run.stop('stopping');
  }

  /** Works until it is stopped. @throws KeyRefused where the deployment does not believe the key. */
  async run(): Promise<void> {
    let pollMs = POLL_MS;
    try {
      while (!this.#isStopping) {
        const taken = this.#hasRoom() ? await this.#take() : null;
        if (taken === null) await this.#pause(POLL_MS / 4);
        else if (taken > 0) pollMs = POLL_MS;
        else {
          await this.#pause(pollMs);
          pollMs = Math.min(MAX_POLL_MS, 2 * pollMs);
        }
      }
      await Promise.all(this.#runs.values());
    } finally {
      if (this.#renewal !== null) clearInterval(this.#renewal);
    }
    if (this.#failure !== null) throw this.#failure;
  }

  /** As many images again as are worked on wait, so that the device does not. */
  #hasRoom(): boolean {
    return this.#itemsHeld < 2 * this.#options.images;
  }

  async #take(): Promise<number> {
    const { deployment, log } = this.#options;
    let answer: LeaseAnswer;
    try {
      answer = await deployment.lease(1);
    } catch (error) {
      if (error instanceof KeyRefused) this.#fail(error);
      else log('warn', 'lease_failed', { error });
      return 0;
    }
    const policy = urlPolicyOf(answer.url_policy);
    const { max_bytes, max_pixels, max_edge_px, max_decode_bytes } = answer.limits;
    const rules: AnswerRules = {
      limits: { maxBytes: max_bytes, maxPixels: max_pixels, maxEdge: max_edge_px, maxMemoryBytes: max_decode_bytes },
      policy,
      fetch: guardedFetch(policy),
    };
    this.#renewal ??= setInterval(() => void this.#renew(), (answer.lease_s * 1000) / RENEWALS);
    for (const chunk of answer.leases) this.#begin(chunk, rules, answer.transcodes);
    return answer.leases.length;
  }

  #begin(chunk: LeasedChunk, rules: AnswerRules, transcodes: boolean): void {
    const { deployment, models } = this.#options;
    const { name, version } = chunk.model;
    const model = models.get(name, version);
    // Every item asks for it; the first failure is reported below.
    model.catch(() => undefined);
    const run: ChunkRun = new ChunkRun({
      deployment,
      chunk,
      transcodes,
      answer: (item) =>
        this.#limit.run(async () => {
          if (run.isOver) throw new RuntimeError('client_gone', 'the chunk is not worked on any more');
          return answerImage(item, chunk, await model, this.#options, rules);
        }),
      onReported: (outcomes) => this.#count(outcomes),
    });
    this.#itemsHeld += chunk.items.length;
    const ended = this.#finish(run, chunk).finally(() => {
      this.#itemsHeld -= chunk.items.length;
      this.#runs.delete(run);
    });
    this.#runs.set(run, ended);
    if (this.#isStopping) run.stop('stopping');
  }

  async #finish(run: ChunkRun, chunk: LeasedChunk): Promise<void> {
    const { models, deployment, log } = this.#options;
    const { lease, job, attempt } = chunk;
    try {
      await models.get(chunk.model.name, chunk.model.version);
    } catch (error) {
      log('error', 'model_failed', { model: chunk.model, error });
      await deployment.release(lease, 'unable').catch((failure: unknown) => this.#fail(failure));
      return;
    }
    try {
      const end = await run.run();
      this.counts.chunks++;
      if (end === 'lost') this.counts.lost++;
      log(end === 'lost' ? 'warn' : 'debug', 'chunk_ended', { job, lease, attempt, items: chunk.items.length, end });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A refused key ends the worker; anything else costs a chunk, whose lease runs out. */
  #fail(error: unknown): void {
    if (error instanceof KeyRefused) {
      this.#failure ??= error;
      this.stop();
    } else this.#options.log('error', 'chunk_failed', { error });
  }

  async #renew(): Promise<void> {
    const runs = [...this.#runs.keys()];
    if (runs.length === 0) return;
    try {
      const lost = new Set(await this.#options.deployment.renew(runs.map(({ lease }) => lease)));
      for (const run of runs) if (lost.has(run.lease)) run.stop('lost');
    } catch (error) {
      if (error instanceof KeyRefused) this.#fail(error);
      else this.#options.log('warn', 'renewal_failed', { error });
    }
  }

  #count(outcomes: readonly WorkOutcome[]): void {
    for (const { status } of outcomes) this.counts[status === 'retry' ? 'retried' : status]++;
  }

  async #pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const passed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([passed, this.#stopping.promise]);
    clearTimeout(timer);
  }
}
