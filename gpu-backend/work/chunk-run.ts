/** One chunk in this worker's hands: its items side by side, outcomes in parts, and what is left over given back. */
import { AppError, JobError } from '../../worker/errors.ts';
import { failureOf } from '../../worker/jobs/item-failure.ts';
import type { ReleaseReason, WorkAnswer, WorkOutcome } from '../../worker/jobs/work/records.ts';
import { type Deployment, KeyRefused, type LeasedChunk, type WorkItem } from './deployment.ts';

/** Outcomes of a report. */
const REPORT_ITEMS = 64;

/** What a chunk needs. */
export interface ChunkRunOptions {
  readonly deployment: Pick<Deployment, 'report' | 'release'>;
  readonly chunk: LeasedChunk;
  /** Answers one item; waits for its turn. */
  answer(item: WorkItem): Promise<WorkAnswer>;
  /** True where the edge reads formats that this worker does not. */
  readonly transcodes: boolean;
  /** Told of every outcome that was reported. */
  onReported(outcomes: readonly WorkOutcome[]): void;
}

/** How a chunk ended. */
export type ChunkEnd = 'done' | 'lost' | ReleaseReason;

/** See the file's header. */
export class ChunkRun {
  readonly #options: ChunkRunOptions;
  #outcomes: WorkOutcome[] = [];
  #reporting: Promise<void> = Promise.resolve();
  /** As the deployment counts. */
  #pending = Number.POSITIVE_INFINITY;
  #end: ChunkEnd | null = null;
  #failure: unknown = null;

  constructor(options: ChunkRunOptions) {
    this.#options = options;
  }

  /** The lease. */
  get lease(): string {
    return this.#options.chunk.lease;
  }

  /** The chunk is of no use to this worker any more: what has not begun is not begun. */
  stop(reason: 'lost' | 'stopping'): void {
    if (this.#end === null || this.#end === 'unable') this.#end = reason;
  }

  /**
   * Works through the chunk. Errors of items are outcomes; nothing but a refused key or a deployment that cannot be reached is thrown,
   * and then the lease runs out by itself.
   */
  async run(): Promise<ChunkEnd> {
    const { chunk, deployment } = this.#options;
    await Promise.all(chunk.items.map((item) => this.#work(item)));
    this.#report();
    await this.#reporting;
    if (this.#failure !== null) throw this.#failure;
    if (this.#end === 'lost' || this.#end === 'done') return this.#end;
    const reason = this.#end === 'stopping' || this.#end === 'unable' ? this.#end : 'leftover';
    await deployment.release(chunk.lease, reason);
    return reason;
  }

  async #work(item: WorkItem): Promise<void> {
    const { answer, transcodes } = this.#options;
    try {
      const given = await answer(item);
      this.#outcomes.push({ index: item.index, status: 'succeeded', answer: given });
    } catch (error) {
      if (error instanceof KeyRefused) this.#failure ??= error;
      if (this.isOver) return;
      if (transcodes && error instanceof AppError && error.code === 'unsupported_image_format') {
        this.#end ??= 'unable';
        return;
      }
      const { status, error: reason } = failureOf(item.index, error);
      const message = reason.message.slice(0, 1000);
      this.#outcomes.push({ index: item.index, status, error: { code: reason.code, message } });
    }
    if (this.#outcomes.length >= REPORT_ITEMS) this.#report();
  }

  /** One report after the other. */
  #report(): void {
    const outcomes = this.#outcomes;
    this.#outcomes = [];
    if (outcomes.length === 0) return;
    this.#reporting = this.#reporting.then(async () => {
      if (this.#end === 'lost' || this.#end === 'done' || this.#failure !== null) return;
      try {
        this.#pending = await this.#options.deployment.report(this.lease, outcomes);
        this.#options.onReported(outcomes);
        // Where items are still worked on, others have answered them, or the job is over.
        if (this.#pending === 0) this.#end = 'done';
      } catch (error) {
        if (error instanceof JobError && error.code === 'lease_lost') this.#end = 'lost';
        else this.#failure = error;
      }
    });
  }

  /** True where the chunk's remaining items need not be begun. */
  get isOver(): boolean {
    return this.#failure !== null || (this.#end !== null && this.#end !== 'unable');
  }
}
