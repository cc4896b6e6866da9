/** A program of its own, in Node: for what needs a heap or V8 flags to itself. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { onEnding } from './ending.ts';

/** How a program ended, and what it printed. */
export interface Ended {
  /** Null: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `node` with these arguments to its end; it does not outlive a script that is ended before its time. */
export async function runProgram(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const forget = onEnding(() => void child.kill());
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  forget();
  return { code, stdout, stderr };
}
