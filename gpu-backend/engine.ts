/** The server's side of the engine's thread: requests as promises. */
import { Worker } from 'node:worker_threads';
import { RuntimeError } from '../worker/errors.ts';
import type { EngineReply, EngineRequest, LoadRequest, LoadResult, RunRequest, RunResult } from './engine-protocol.ts';

/** Runs models: the engine's thread, or a stand-in in tests. Each throws RuntimeError `inference_failed`. */
export interface Engine {
  load(request: LoadRequest): Promise<LoadResult>;
  /** Input buffers are transferred, and not usable afterwards. */
  run(request: RunRequest): Promise<RunResult>;
  release(session: string): Promise<void>;
  /** How long the longest batch under way has been with the engine, in ms; 0 where there is none. */
  busyMs(): number;
  /** Frees everything and ends the thread, when what was asked before is done. */
  close(): Promise<void>;
}

/**
 * Starts the engine's thread.
 * @param onDeath called once if the thread dies by itself: nothing can run any more, the process should end.
 */
export function startEngine(onDeath: (error: Error) => void): Engine {
  const worker = new Worker(new URL('./engine-thread.ts', import.meta.url));
  const pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  const runs = new Map<number, number>();
  let nextId = 1;
  let closed = false;

  worker.on('message', (reply: EngineReply) => {
    const waiting = pending.get(reply.id);
    pending.delete(reply.id);
    runs.delete(reply.id);
    if (reply.ok) waiting?.resolve(reply.result as never);
    else waiting?.reject(new RuntimeError('inference_failed', reply.message));
  });
  const die = (error: Error) => {
    if (closed) return;
    closed = true;
    for (const { reject } of pending.values())
      reject(new RuntimeError('inference_failed', error.message, { cause: error }));
    pending.clear();
    onDeath(error);
  };
  worker.on('error', (error) => die(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', (code) => die(new Error(`the engine's thread ended with code ${code}`)));

  const send = <T extends EngineResult>(request: EngineRequest, buffers: ArrayBuffer[] = []): Promise<T> => {
    if (closed) return Promise.reject(new RuntimeError('inference_failed', 'the engine is closed'));
    const id = nextId++;
    return new Promise((resolve, reject) => {
      pending.set(id, { resolve, reject });
      if (request.kind === 'run') runs.set(id, performance.now());
      worker.postMessage({ id, request }, buffers);
    });
  };
  return {
    load: (request) => send<LoadResult>(request),
    run: (request) =>
      send<RunResult>(
        request,
        request.inputs.map((input) => input.buffer),
      ),
    release: async (session) => {
      await send({ kind: 'release', session });
    },
    busyMs: () => {
      const oldest = runs.values().next();
      return oldest.done === true ? 0 : performance.now() - oldest.value;
    },
    close: async () => {
      if (closed) return;
      await send({ kind: 'release', session: null });
      closed = true;
      await worker.terminate();
    },
  };
}

type EngineResult = LoadResult | RunResult | null;
