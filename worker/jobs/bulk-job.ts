/**
 * One bulk job: the only truth about it. Its alarm drives everything that must not be lost: it reads the inputs, keeps a bounded
 * number of chunks in the queue, sends chunks again that went silent (a queue may drop a message), compacts what is finished into
 * R2, tells the job's end, and removes the job when its time is over.
 */
import { DurableObject } from 'cloudflare:workers';
import { JobError } from '../errors.ts';
import { MAX_BATCH_MESSAGES } from '../platform-limits.ts';
import { ChunkStore } from './chunk-store.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { type IngestBuckets, type IngestCursor, type IngestStep, ingestStep } from './ingest.ts';
import type { JobDirectory } from './job-directory.ts';
import { JobNotifier } from './job-notifier.ts';
import { type JobSettings, readJobSettings } from './job-settings.ts';
import {
  type ChunkLease,
  type ChunkMessage,
  type ItemOutcome,
  JOB_NOT_FOUND,
  type JobSpecification,
  type JobState,
  type JobStatus,
  type ParsedInput,
  type Refusal,
} from './records.ts';
import { Throughput } from './throughput.ts';
import type { RecordedWork, WorkOutcome } from './work/records.ts';
import { boardOf, type WorkBoard } from './work/work-board.ts';
import { isAnswerTo, workedLine } from './worked-line.ts';

/** Chunks whose lines are moved to R2 in one turn of the alarm. */
const COMPACT_CHUNKS = 32;

/** Of which at a time; the queue needs one of the platform's six connections, the inputs another. */
const COMPACT_CONNECTIONS = 4;

/** What a job's Durable Object needs of the environment. */
export interface BulkJobEnv {
  readonly JOBS: R2Bucket;
  readonly JOBS_QUEUE: Queue<ChunkMessage>;
  readonly JOB_DIRECTORY: DurableObjectNamespace<JobDirectory>;
  readonly WORK_BOARD: DurableObjectNamespace<WorkBoard>;
}

interface Header {
  readonly specification: JobSpecification;
  readonly state: JobState;
  readonly ingest: IngestCursor;
  /** Inputs that are read but not yet a whole chunk. */
  readonly rest: readonly ParsedInput[];
  readonly ingested: boolean;
  readonly finishedAtMs: number | null;
  readonly directory: string;
}

/** A page of results: lines that are here, or parts of the jobs bucket, in the order of their items. */
export interface ResultsPage {
  readonly chunks: readonly {
    readonly chunk: number;
    readonly part: string | null;
    readonly ended: boolean;
    readonly lines: readonly string[];
  }[];
  /** The chunk after the last one, or null where there are no more now. */
  readonly next: number | null;
  /** True where the job is over: no chunk is added or changed any more. */
  readonly over: boolean;
}

/** Methods are called over RPC by routes and the queue consumer. */
export class BulkJob extends DurableObject<BulkJobEnv> {
  readonly #chunks: ChunkStore;
  readonly #settings: JobSettings;
  readonly #throughput = new Throughput();
  readonly #notifier: JobNotifier;

  constructor(context: DurableObjectState, env: BulkJobEnv) {
    super(context, env);
    this.#chunks = new ChunkStore(context.storage.sql);
    this.#settings = readJobSettings({ ...env });
    this.#notifier = new JobNotifier(context.storage, { ...env });
  }

  /** Accepts the job; from here on nothing of it is lost. A second call with the same job changes nothing. */
  async create(specification: JobSpecification, directory: string): Promise<void> {
    const { storage } = this.ctx;
    if ((await storage.get('header')) !== undefined) return;
    const header: Header = {
      specification,
      state: 'ingesting',
      ingest: null,
      rest: [],
      ingested: false,
      finishedAtMs: null,
      directory,
    };
    await storage.put('header', header);
    await storage.setAlarm(Date.now());
  }

  /** Where the job is. */
  async status(): Promise<JobStatus | Refusal> {
    const header = await this.ctx.storage.get<Header>('header');
    if (header === undefined) return JOB_NOT_FOUND;
    const { specification, state, ingested, finishedAtMs, directory } = header;
    return {
      specification,
      tenant: directory,
      state,
      counts: this.#chunks.counts(),
      totalIsFinal: ingested,
      finishedAtMs,
      itemsPerSecond: state === 'running' || state === 'ingesting' ? this.#throughput.perSecond(Date.now()) : null,
      expiresAtMs: finishedAtMs === null ? null : finishedAtMs + specification.retentionMs,
    };
  }

  /** What a consumer is to do of a chunk; null where nothing is left to do, or the job is over. */
  async lease(chunk: number): Promise<ChunkLease | null> {
    const header = await this.ctx.storage.get<Header>('header');
    if (header === undefined || isOver(header.state)) return null;
    const items = this.#chunks.lease(chunk);
    if (items.length === 0) return null;
    this.#chunks.touch(chunk, Date.now());
    return { specification: header.specification, items };
  }

  /**
   * Writes down what came of items. Reporting again changes nothing.
   * @returns false where the job is over: the consumer need not go on.
   */
  async report(chunk: number, outcomes: readonly ItemOutcome[]): Promise<boolean> {
    const header = await this.ctx.storage.get<Header>('header');
    if (header === undefined || isOver(header.state)) return false;
    const now = Date.now();
    const { finished, chunkEnded } = this.#chunks.report(chunk, outcomes);
    this.#throughput.add(finished, now);
    if (chunkEnded) await this.ctx.storage.setAlarm(now);
    else this.#chunks.touch(chunk, now);
    return true;
  }

  /** Writes down what a GPU worker says of items, as `report` does; the lines are made here, of what the job knows itself. */
  async recordWork(chunk: number, work: readonly WorkOutcome[]): Promise<RecordedWork> {
    const header = await this.ctx.storage.get<Header>('header');
    if (header === undefined || isOver(header.state)) return { over: true, pending: 0 };
    const { specification } = header;
    const unfit = work.find((each) => each.status === 'succeeded' && !isAnswerTo(specification.task, each.answer));
    if (unfit !== undefined) return { unfit: unfit.index };
    const ids = this.#chunks.ids(chunk);
    const outcomes = work.map((each): ItemOutcome => {
      if (each.status !== 'succeeded') return each;
      const { index, answer } = each;
      return { index, status: 'succeeded', line: workedLine(index, ids.get(index), specification.model, answer) };
    });
    const wanted = await this.report(chunk, outcomes);
    return { over: !wanted, pending: this.#chunks.pending(chunk) };
  }

  /** A message of this chunk was given up by the queue: it is sent again, or its items fail. */
  async abandonDispatch(chunk: number): Promise<void> {
    const header = await this.ctx.storage.get<Header>('header');
    if (header === undefined || isOver(header.state)) return;
    this.#chunks.takeBack(chunk);
    await this.ctx.storage.setAlarm(Date.now());
  }

  /** Stops the job; what has an outcome keeps it. A second call changes nothing. */
  async cancel(): Promise<Refusal | null> {
    const header = await this.ctx.storage.get<Header>('header');
    if (header === undefined) return JOB_NOT_FOUND;
    if (header.state === 'cancelled') return null;
    if (header.state === 'completed') return conflict(header, 'it has completed');
    this.#chunks.cancel();
    await this.#finish({ ...header, ingested: true, rest: [] }, 'cancelled');
    return null;
  }

  /** Makes failed items pending again. @returns how many. */
  async retryFailed(): Promise<number | Refusal> {
    const header = await this.ctx.storage.get<Header>('header');
    if (header === undefined) return JOB_NOT_FOUND;
    if (header.state !== 'completed') {
      return conflict(header, `it is ${header.state}; only a completed job can be retried`);
    }
    // First, because it may fail: then nothing has changed. The list of jobs says where this one is.
    await this.#directory(header).setState(header.specification.id, 'running');
    if ((await this.ctx.storage.get<Header>('header'))?.state !== 'completed') {
      return conflict(header, 'another retry has begun meanwhile');
    }
    let retried = 0;
    for (const chunk of this.#chunks.chunksWithFailures()) {
      const [results] = this.#chunks.results(chunk, 1);
      if (results === undefined) continue;
      const lines = results.part === null ? results.lines : await this.#readPart(results.part);
      retried += this.#chunks.retryFailed(chunk, lines);
    }
    if (retried > 0) {
      await this.#put({ ...header, state: 'running', finishedAtMs: null });
      await this.ctx.storage.setAlarm(Date.now());
    } else {
      await this.#directory(header).setState(header.specification.id, header.state);
    }
    return retried;
  }

  /** Results of chunks from `fromChunk` on; none where there is no such job. */
  results(fromChunk: number, maxChunks: number): ResultsPage {
    const rows = this.#chunks.results(fromChunk, maxChunks);
    const last = rows.at(-1);
    const chunks = rows.map(({ chunk, part, ended, lines }) => ({ chunk, part, ended, lines }));
    const over = isOver(this.ctx.storage.kv.get<Header>('header')?.state ?? 'completed');
    return { chunks, next: last === undefined || rows.length < maxChunks ? null : last.chunk + 1, over };
  }

  override async alarm(): Promise<void> {
    const header = await this.ctx.storage.get<Header>('header');
    if (header === undefined) return;
    try {
      await this.#turn(header);
    } catch (error) {
      // The platform gives an alarm up after some failures; a job must never be given up.
      const reason = String(error).slice(0, 300);
      console.error(JSON.stringify({ level: 'error', event: 'job_turn_failed', job: header.specification.id, reason }));
      await this.ctx.storage.setAlarm(Date.now() + this.#settings.tickMs);
    }
  }

  async #turn(header: Header): Promise<void> {
    const now = Date.now();
    if (header.finishedAtMs !== null && now >= header.finishedAtMs + header.specification.retentionMs) {
      return this.#remove(header);
    }
    let current = header;
    if (!isOver(current.state)) {
      current = await this.#ingest(current);
      await this.#takeBackSilent(current, now);
    }
    const [, compacted] = await Promise.all([
      isOver(current.state) ? undefined : this.#dispatch(current),
      this.#compact(current),
    ]);
    // It may have been cancelled while parts were written.
    current = this.ctx.storage.kv.get<Header>('header') ?? current;
    if (!isOver(current.state) && current.ingested && this.#chunks.counts().pending === 0) {
      current = await this.#finish(current, 'completed');
    }
    await this.#scheduleNext(current, compacted);
  }

  async #ingest(header: Header): Promise<Header> {
    if (header.ingested) return header;
    const { chunkItems } = header.specification;
    const step = await this.#readStep(header);
    const inputs = [...header.rest, ...step.inputs];
    const whole = step.done ? inputs.length : inputs.length - (inputs.length % chunkItems);
    const next: Header = {
      ...header,
      ingest: step.next,
      ingested: step.done,
      rest: inputs.slice(whole),
      state: step.done ? 'running' : 'ingesting',
    };
    // It may have been cancelled while the inputs were read.
    const now = this.ctx.storage.kv.get<Header>('header') ?? header;
    if (isOver(now.state)) return now;
    // Chunks and cursor together: a restart between them would read lines twice.
    this.ctx.storage.transactionSync(() => {
      for (let at = 0; at < whole; at += chunkItems)
        this.#chunks.append(inputs.slice(at, Math.min(at + chunkItems, whole)));
      this.ctx.storage.kv.put('header', next);
    });
    return next;
  }

  /** Reads on; a manifest that is gone ends the reading with a failed item that says so. */
  async #readStep({ specification, ingest }: Header): Promise<IngestStep> {
    try {
      return await ingestStep(specification.source, ingest, this.#buckets());
    } catch (error) {
      if (!(error instanceof JobError)) throw error;
      return { inputs: [{ error: { code: 'object_not_found', message: error.message } }], next: null, done: true };
    }
  }

  async #dispatch(header: Header): Promise<void> {
    const room = this.#settings.maxChunksInFlight - this.#chunks.inFlight();
    if (room <= 0) return;
    const chunks = this.#chunks.undispatched(room);
    if (chunks.length === 0) return;
    const { id } = header.specification;
    // Noted before they are sent: what is sent and not noted would be sent twice, what is noted and not sent goes silent.
    this.#chunks.markDispatched(chunks, Date.now());
    if (isForWorkers(header.specification, this.#settings)) {
      if (await this.#board().post(id, chunks, mayFallBack(header.specification, this.#settings))) return;
    }
    for (let at = 0; at < chunks.length; at += MAX_BATCH_MESSAGES) {
      const batch = chunks.slice(at, at + MAX_BATCH_MESSAGES);
      await this.env.JOBS_QUEUE.sendBatch(batch.map((chunk) => ({ body: { v: 1, job: id, chunk } })));
    }
  }

  /** Sends silent chunks again, but for those that the board looks after: no worker has come for them, or one is at work. */
  async #takeBackSilent({ specification }: Header, now: number): Promise<void> {
    const silent = this.#chunks.silent(now - this.#settings.silenceMs);
    if (silent.length === 0) return;
    const onBoard = isForWorkers(specification, this.#settings)
      ? await this.#board().holding(specification.id, silent)
      : [];
    for (const chunk of silent) {
      if (onBoard.includes(chunk)) this.#chunks.touch(chunk, now);
      else this.#chunks.takeBack(chunk);
    }
  }

  async #compact(header: Header): Promise<boolean> {
    const finished = this.#chunks.uncompacted(COMPACT_CHUNKS);
    const limit = new ConcurrencyLimit(COMPACT_CONNECTIONS);
    const writing = finished.map(({ chunk, revision, lines }) =>
      limit.run(async () => {
        const part = `${jobPrefix(header.specification.id)}results/${String(chunk).padStart(8, '0')}-${revision}.ndjson`;
        await this.env.JOBS.put(part, lines.map((line) => `${line}\n`).join(''));
        this.#chunks.setPart(chunk, revision, part);
      }),
    );
    // All of them end before a failure is reported: the next turn would write the same parts beside them.
    for (const written of await Promise.allSettled(writing)) if (written.status === 'rejected') throw written.reason;
    return finished.length === COMPACT_CHUNKS;
  }

  async #finish(header: Header, state: 'completed' | 'cancelled'): Promise<Header> {
    const finished: Header = { ...header, state, finishedAtMs: Date.now() };
    await this.#put(finished);
    const { id, callbackUrl, task, model, traceparent } = header.specification;
    await this.#directory(header).setState(id, state);
    if (callbackUrl !== null) {
      const data = { job: id, state, task, model, counts: this.#chunks.counts() };
      await this.#notifier.begin(callbackUrl, data, traceparent);
    }
    await this.ctx.storage.setAlarm(Date.now());
    return finished;
  }

  async #scheduleNext(header: Header, more: boolean): Promise<void> {
    const now = Date.now();
    const { finishedAtMs, specification } = header;
    if (finishedAtMs === null) {
      const again = more || !header.ingested ? now : now + this.#settings.tickMs;
      await this.ctx.storage.setAlarm(again);
      return;
    }
    const notifyAt = await this.#notifier.deliver(now);
    const times = [finishedAtMs + specification.retentionMs, ...(notifyAt === null ? [] : [notifyAt])];
    await this.ctx.storage.setAlarm(more ? now : Math.min(...times));
  }

  /** The job's time is over: its objects, its entry in the list, and itself. */
  async #remove(header: Header): Promise<void> {
    const { id } = header.specification;
    let cursor: string | undefined;
    do {
      const page = await this.env.JOBS.list({ prefix: jobPrefix(id), ...(cursor === undefined ? {} : { cursor }) });
      if (page.objects.length > 0) await this.env.JOBS.delete(page.objects.map(({ key }) => key));
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
    await this.#directory(header).remove(id);
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  async #readPart(part: string): Promise<string[]> {
    const object = await this.env.JOBS.get(part);
    if (object === null) throw new JobError('job_state_conflict', `the results ${part} are gone`);
    return (await object.text()).split('\n').filter((line) => line !== '');
  }

  #buckets(): IngestBuckets {
    return { jobs: this.env.JOBS, named: (name) => this.#settings.bucket(name) };
  }

  #directory(header: Header): DurableObjectStub<JobDirectory> {
    return this.env.JOB_DIRECTORY.get(this.env.JOB_DIRECTORY.idFromName(header.directory));
  }

  #board(): DurableObjectStub<WorkBoard> {
    return boardOf(this.env.WORK_BOARD);
  }

  async #put(header: Header): Promise<void> {
    await this.ctx.storage.put('header', header);
  }
}

/** Prefix of a job's objects in the jobs bucket. */
export function jobPrefix(id: string): string {
  return `jobs/${id}/`;
}

/** True where GPU workers can answer the job's chunks, and may. */
function isForWorkers({ gpu, head, task }: JobSpecification, { engine }: JobSettings): boolean {
  return engine !== 'wasm' && gpu !== undefined && head === undefined && task !== 'moderate';
}

/** True where the queue's consumer can answer them too: with WASM, or a backend that it calls. */
function mayFallBack({ gpu }: JobSpecification, { engine, backendUrl }: JobSettings): boolean {
  return backendUrl !== null || (engine === 'auto' && gpu !== 'alone');
}

function isOver(state: JobState): boolean {
  return state === 'completed' || state === 'cancelled';
}

function conflict(header: Header, reason: string): Refusal {
  const { specification, state } = header;
  return { refused: { code: 'job_state_conflict', message: `job ${specification.id}: ${reason}`, state } };
}
