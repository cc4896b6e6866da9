/**
 * How a script ends before its time: by a signal, because nobody reads its output any more, or because npm is gone. What it
 * began is undone first. Child processes end in any case (see guard.mjs); this is for what they should write, and for folders.
 */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Exit codes of a process that a signal ended: 128 and the signal's number. */
const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const PARENT_POLL_MS = 500;

type Undo = () => void | Promise<void>;

const undos = new Set<Undo>();
let ending = false;

/** True once the process is about to end: errors of what was cut off need no words. */
export function isEnding(): boolean {
  return ending;
}

/** Has `undo` run if the process is ended before its time, the newest first. @returns forgets it. */
export function onEnding(undo: Undo): () => void {
  undos.add(undo);
  return () => void undos.delete(undo);
}

/** Makes a folder below the system's temporary one. Its maker removes it; if the process is ended before, it is removed then. */
export async function makeTemporaryFolder(prefix: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  onEnding(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Undoes and exits on SIGINT, SIGTERM and SIGHUP.
 * @param exitCode what a signal ends with; default 128 and its number.
 */
export function endOnSignals(exitCode?: number): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void end(exitCode ?? SIGNAL_EXIT_CODES[signal]));
  }
}

/** Undoes and exits when a pipe that output goes to is closed, and sends this process SIGTERM when npm is gone. */
export function endWithSurroundings(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: Error & { readonly code?: string }) => {
      if (error.code !== 'EPIPE') throw error;
      if (!ending) void end(0);
    });
  }
  // npm hands a signal to the shell that it runs scripts in, which ends and tells nobody.
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_POLL_MS);
  watch.unref();
}

/** The second time, nothing is waited for. */
async function end(exitCode: number): Promise<void> {
  if (ending) process.exit(exitCode);
  ending = true;
  for (const undo of [...undos].reverse()) {
    try {
      await undo();
    } catch (error) {
      process.stderr.write(`bit-edge: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  process.exit(exitCode);
}
