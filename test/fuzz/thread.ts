/** The fuzzing thread: makes inputs, decodes them, reports. Its parent watches it, since a hang cannot report itself. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Choices, ContractError, chooseDecoding, exercise } from './exercise.ts';
import { makeInput, randomOf } from './inputs.ts';
import type { Failure, FuzzDelta, FuzzTask } from './messages.ts';
import { minimize } from './minimize.ts';
import { loadSeeds } from './seeds.ts';

/** No input may take longer. */
const SLOW_MS = 2000;

/** The process may not grow by more than this: several times the decoders' memory limit, for garbage not yet collected. */
const RSS_GROWTH_LIMIT_BYTES = 768 * 2 ** 20;

const REPORT_EVERY = 250;

function signature(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replace(/\d+/g, '#');
}

async function failureOf(index: number, bytes: Uint8Array, choices: Choices, error: unknown): Promise<Failure> {
  const same = async (candidate: Uint8Array): Promise<boolean> => {
    try {
      await exercise(candidate, choices);
      return false;
    } catch (other) {
      return signature(other) === signature(error);
    }
  };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const kind = error instanceof ContractError ? 'contract' : 'crash';
  return { kind, index, message, bytes: await minimize(bytes, same), choices };
}

/** Milliseconds of one decoding; the faster of two where the first was slow, since the machine may have been busy. */
async function timed(bytes: Uint8Array, choices: Choices): Promise<{ ms: number; refused: string | null }> {
  const start = performance.now();
  const { refused } = await exercise(bytes, choices);
  const ms = performance.now() - start;
  if (ms < SLOW_MS) return { ms, refused };
  const again = performance.now();
  await exercise(bytes, choices);
  return { ms: Math.min(ms, performance.now() - again), refused };
}

async function fuzz(task: FuzzTask, report: (delta: FuzzDelta) => void): Promise<void> {
  const progress = new Int32Array(task.progress);
  const seeds = loadSeeds(task.format, task.corpora);
  let delta = {
    decoded: 0,
    refused: {} as Record<string, number>,
    failures: [] as Failure[],
    slowestMs: 0,
    slowestIndex: 0,
  };
  const rssLimit = process.memoryUsage.rss() + RSS_GROWTH_LIMIT_BYTES;
  let overRss = false;
  for (let index = task.from; index < task.to; index++) {
    Atomics.store(progress, 0, index);
    const random = randomOf(task.seed, index);
    const bytes = makeInput(random, task.format, seeds);
    const choices = chooseDecoding(random);
    try {
      const { ms, refused } = await timed(bytes, choices);
      if (refused === null) delta.decoded++;
      else delta.refused[refused] = (delta.refused[refused] ?? 0) + 1;
      if (ms > delta.slowestMs) delta = { ...delta, slowestMs: ms, slowestIndex: index };
      if (ms >= SLOW_MS) {
        delta.failures.push({ kind: 'slow', index, message: `${ms.toFixed(0)} ms`, bytes, choices });
      }
    } catch (error) {
      delta.failures.push(await failureOf(index, bytes, choices, error));
    }
    if (!overRss && process.memoryUsage.rss() > rssLimit) {
      overRss = true;
      const message = `process grew by more than ${RSS_GROWTH_LIMIT_BYTES} bytes`;
      delta.failures.push({ kind: 'memory', index, message, bytes, choices });
    }
    Atomics.store(progress, 1, index + 1 - task.from);
    if ((index + 1 - task.from) % REPORT_EVERY === 0) {
      report(delta);
      delta = { decoded: 0, refused: {}, failures: [], slowestMs: 0, slowestIndex: 0 };
    }
  }
  report(delta);
}

if (parentPort !== null) {
  const port = parentPort;
  await fuzz(workerData as FuzzTask, (delta) => port.postMessage(delta));
}
