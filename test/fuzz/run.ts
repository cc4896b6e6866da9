/** Runs a fuzzing thread and watches it: a thread that stands still is ended, and goes on behind the input that held it. */
import { Worker } from 'node:worker_threads';
import type { ImageFormat } from '../../worker/imaging/image.ts';
import { chooseDecoding } from './exercise.ts';
import { makeInput, randomOf } from './inputs.ts';
import type { Failure, FuzzDelta, FuzzTask } from './messages.ts';
import { loadSeeds } from './seeds.ts';

/** A run of one format. */
export interface FuzzRun {
  readonly format: ImageFormat;
  readonly inputs: number;
  readonly seed: number;
  readonly corpora: boolean;
  /** The run ends after this time, with fewer inputs. */
  readonly timeLimitMs?: number;
  /** Called now and then with the inputs done. */
  onProgress?(done: number): void;
}

/** What a run found. */
export interface FuzzReport {
  readonly format: ImageFormat;
  readonly seeds: number;
  readonly inputs: number;
  readonly decoded: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly slowestMs: number;
  readonly slowestIndex: number;
}

/** A thread that works on one input for this long hangs. */
const HANG_MS = 15_000;

const WATCH_MS = 200;

/** Heap of the thread; decoders keep their pixels in array buffers, outside it. */
const HEAP_LIMIT_MIB = 512;

interface Totals {
  inputs: number;
  decoded: number;
  refused: Record<string, number>;
  failures: Failure[];
  slowestMs: number;
  slowestIndex: number;
}

function add(totals: Totals, delta: FuzzDelta): void {
  totals.decoded += delta.decoded;
  for (const [code, count] of Object.entries(delta.refused)) totals.refused[code] = (totals.refused[code] ?? 0) + count;
  totals.failures.push(...delta.failures);
  if (delta.slowestMs > totals.slowestMs) {
    totals.slowestMs = delta.slowestMs;
    totals.slowestIndex = delta.slowestIndex;
  }
}

/** How a thread ended, and the input it was at. */
interface ThreadEnd {
  readonly why: 'done' | 'hang' | 'time' | 'died';
  readonly index: number;
  readonly done: number;
  readonly message: string;
}

function watchThread(task: FuzzTask, deadline: number, totals: Totals, run: FuzzRun): Promise<ThreadEnd> {
  const progress = new Int32Array(task.progress);
  progress[1] = 0;
  const thread = new Worker(new URL('./thread.ts', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT_MIB },
  });
  return new Promise((resolve) => {
    let at = -1;
    let since = performance.now();
    let ended = false;
    const end = (why: ThreadEnd['why'], message: string): void => {
      if (ended) return;
      ended = true;
      clearInterval(timer);
      const index = Atomics.load(progress, 0);
      const done = Atomics.load(progress, 1);
      void thread.terminate().then(() => resolve({ why, index, done, message }));
    };
    const timer = setInterval(() => {
      const now = performance.now();
      const index = Atomics.load(progress, 0);
      run.onProgress?.(totals.inputs + Atomics.load(progress, 1));
      if (index !== at) {
        at = index;
        since = now;
      }
      if (now - since > HANG_MS) end('hang', `no answer in ${HANG_MS} ms`);
      else if (now > deadline) end('time', '');
    }, WATCH_MS);
    thread.on('message', (delta: FuzzDelta) => add(totals, delta));
    thread.on('error', (error: unknown) =>
      end('died', error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
    );
    thread.on('exit', () => end('done', ''));
  });
}

/** Fuzzes one format. Needs Node: it starts threads. */
export async function runFuzz(run: FuzzRun): Promise<FuzzReport> {
  const { format, seed, corpora } = run;
  const seeds = loadSeeds(format, corpora);
  if (seeds.length === 0) throw new Error(`no ${format} seeds`);
  const totals: Totals = { inputs: 0, decoded: 0, refused: {}, failures: [], slowestMs: 0, slowestIndex: 0 };
  const deadline = performance.now() + (run.timeLimitMs ?? Number.POSITIVE_INFINITY);
  const progress = new SharedArrayBuffer(8);
  for (let from = 0; from < run.inputs; ) {
    const task: FuzzTask = { format, seed, from, to: run.inputs, corpora, progress };
    const { why, index, done, message } = await watchThread(task, deadline, totals, run);
    totals.inputs += done;
    if (why === 'done' || why === 'time') break;
    const random = randomOf(seed, index);
    const bytes = makeInput(random, format, seeds);
    const kind = why === 'hang' ? 'hang' : 'crash';
    totals.failures.push({ kind, index, message, bytes, choices: chooseDecoding(random) });
    totals.inputs++;
    from = index + 1;
  }
  return { format, seeds: seeds.length, ...totals };
}
