/** Starts the GPU backend as a process of its own, and speaks to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ONNXRUNTIME_NODE } from './gpu-model.ts';

/** Whether the backend's own packages are installed. */
export const BACKEND_INSTALLED = existsSync(ONNXRUNTIME_NODE);
/** Behind a test's title: why it is skipped. */
export const SKIP_REASON = BACKEND_INSTALLED ? '' : ' (skipped: run "npm ci --prefix gpu-backend")';

/** The token of the processes that tests start. */
export const TOKEN = 'test-token-0123456789';

/** One line of the backend's log. */
export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

/** A running process. */
export interface BackendProcess {
  readonly url: string;
  readonly process: ChildProcess;
  readonly log: readonly LogLine[];
  readonly errors: () => string;
  /** Resolves to the exit code, or the signal that killed it. */
  readonly exit: Promise<number | string>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

const running = new Set<ChildProcess>();

/** Kills what a test left running. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts a process on a free port, and waits until it listens or ends. */
export async function startBackend(
  env: Record<string, string>,
  script = 'gpu-backend/main.ts',
  cwd = process.cwd(),
): Promise<BackendProcess> {
  const child = spawn(process.execPath, [join(cwd, script)], {
    cwd,
    env: {
      PATH: process.env.PATH,
      GPU_PORT: '0',
      GPU_TOKEN: TOKEN,
      GPU_PROVIDERS: 'cpu',
      GPU_THREADS: '1',
      GPU_POLL_S: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const log: LogLine[] = [];
  let errors = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exit = once(child, 'close').then(([code, signal]: (number | string | null)[]) => {
    running.delete(child);
    return code ?? signal ?? 'unknown';
  });
  const port = await new Promise<number>((resolve) => {
    createInterface(child.stdout!).on('line', (line) => {
      const entry = JSON.parse(line) as LogLine;
      log.push(entry);
      if (entry.event === 'listening') resolve(Number(entry.port));
    });
    void exit.then(() => resolve(0));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    process: child,
    log,
    errors: () => errors,
    exit,
    fetch: (path, init) =>
      fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...init?.headers } }),
  };
}

/** Waits until the backend is ready. */
export async function untilReady(backend: BackendProcess): Promise<void> {
  let ended = false;
  void backend.exit.then(() => {
    ended = true;
  });
  while (!(await isReady(backend))) {
    if (ended) throw new Error(`the backend ended: ${backend.errors()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function isReady(backend: BackendProcess): Promise<boolean> {
  try {
    return (await backend.fetch('/v2/health/ready')).ok;
  } catch {
    return false;
  }
}
