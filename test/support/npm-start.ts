/** `npm start` as a user runs it: in a process group of its own, its output collected. Node only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { findFreePort, LOCAL_HOST } from '../../scripts/start/dev-server.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READY_TIMEOUT_MS = 90_000;

/** A process, and what it has printed by now: standard output and standard error together. */
export interface Started {
  readonly child: ChildProcess;
  output(): string;
}

/** Runs `npm start -- ...args`. */
export function npmStart(args: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
  let text = '';
  const child = spawn('npm', ['start', '--silent', '--', ...args], {
    cwd: ROOT,
    detached: true,
    env: { ...process.env, ...env },
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  return { child, output: () => text.replaceAll(/npm warn .*\n/g, '') };
}

/** The same with a free port, ready to answer. @throws AssertionError with its output if it does not become so. */
export async function startAndWait(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Started & { readonly url: string }> {
  const port = await findFreePort();
  const started = npmStart(['--port', String(port), ...args], env);
  const poll = expect.poll(started.output, { timeout: READY_TIMEOUT_MS, interval: 100 });
  await poll.toMatch(/^ready .*\n.*curl .*\n/m);
  return { ...started, url: `http://${LOCAL_HOST}:${port}` };
}

/** Its exit code, once it has ended. */
export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', resolve));
}

/** Ctrl-C. */
export async function interrupt(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGINT');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
  await ended(child);
}
