/** Child processes that never outlive this one, and that are signalled with everything that they started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const GUARD = fileURLToPath(new URL('guard.mjs', import.meta.url));

/** How a child is started. */
export interface GuardedOptions {
  readonly cwd?: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where its output goes. */
  readonly output: 'pipe' | 'ignore';
}

/** Starts a Node script at the head of a process group of its own, which ends with this process, however that ends. */
export function spawnGuarded(args: readonly string[], { output, ...options }: GuardedOptions): ChildProcess {
  const stdio = ['pipe', output, output] as const;
  return spawn(process.execPath, [GUARD, process.execPath, ...args], { ...options, detached: true, stdio: [...stdio] });
}

/** Signals the child and every process that it started; one that has ended is no failure. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
