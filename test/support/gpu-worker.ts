/** Starts a GPU worker as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A running worker. */
export interface WorkerProcess {
  readonly process: ChildProcess;
  /** Events of its log by now. */
  readonly events: readonly { readonly event: string; readonly [field: string]: unknown }[];
  errors(): string;
  /** Resolves to the exit code, or the signal that killed it. */
  readonly exit: Promise<number | string>;
}

const running = new Set<ChildProcess>();

/** Kills what a test left running. */
export function killWorkers(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts a worker of a deployment; its models are kept below `cache`. */
export function startWorker(url: string, cache: string, args: readonly string[] = []): WorkerProcess {
  const script = join(import.meta.dirname, '../../gpu-backend/work/run.ts');
  const child = spawn(process.execPath, [script, '--url', url, ...args], {
    env: {
      PATH: process.env.PATH,
      GPU_PROVIDERS: 'cpu',
      GPU_THREADS: '1',
      GPU_MAX_BATCH: '8',
      GPU_CACHE_DIR: cache,
      GPU_LOG_LEVEL: 'debug',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const events: WorkerProcess['events'][number][] = [];
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line)));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exit = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    return (code ?? signal) as number | string;
  });
  return { process: child, events, errors: () => errors, exit };
}
