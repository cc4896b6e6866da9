/** The engine's thread: holds the sessions and answers one request after the other. */
import { parentPort } from 'node:worker_threads';
import type { InferenceSession } from 'onnxruntime-common';
import type { EngineReply, EngineRequest, LoadResult, RunResult } from './engine-protocol.ts';
import { loadOnnxRuntime, type OnnxRuntime } from './onnxruntime.ts';
import { openSession, runSession } from './sessions.ts';

const port = parentPort;
if (port === null) throw new Error('engine-thread.ts runs as a worker thread only');

const sessions = new Map<string, InferenceSession>();
let runtime: OnnxRuntime | null = null;
let last: Promise<void> = Promise.resolve();

port.on('message', ({ id, request }: { id: number; request: EngineRequest }) => {
  last = last.then(async () => {
    let reply: EngineReply;
    try {
      reply = { id, ok: true, result: await handle(request) };
    } catch (error) {
      reply = { id, ok: false, message: error instanceof Error ? error.message : String(error) };
    }
    const buffers =
      reply.ok && request.kind === 'run' ? (reply.result as RunResult).outputs.map((each) => each.buffer) : [];
    port.postMessage(reply, buffers);
  });
});

async function handle(request: EngineRequest): Promise<LoadResult | RunResult | null> {
  runtime ??= loadOnnxRuntime();
  if (request.kind === 'load') {
    const { session, result } = await openSession(runtime, request, () => performance.now());
    sessions.set(request.session, session);
    return result;
  }
  if (request.kind === 'run') {
    const session = sessions.get(request.session);
    if (session === undefined) throw new Error(`session "${request.session}" is not loaded`);
    const startMs = performance.now();
    const outputs = await runSession(runtime, session, request.inputs, request.outputs);
    return { outputs, computeMs: performance.now() - startMs };
  }
  for (const [name, session] of [...sessions]) {
    if (request.session !== null && request.session !== name) continue;
    sessions.delete(name);
    await session.release();
  }
  return null;
}
