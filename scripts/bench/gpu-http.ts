/** What is left of the engine's images/s when batches come over HTTP: client, protocol and batching between. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BackendClient } from '../../worker/jobs/backend-client.ts';
import { reserveInferRequest } from '../../worker/oip/infer-request.ts';

const REQUESTS = 24;
const IN_FLIGHT = 3;

/** A backend in a process of its own, and a client of it. */
export interface HttpBench {
  /** Sends `REQUESTS` full batches, three in flight, and returns images/s. */
  measure(): Promise<number>;
  close(): Promise<void>;
}

/** Starts a backend on the CPU provider for the model `name` of the store `store`. */
export async function startHttpBench(store: string, name: string, sidePx: number, batch: number): Promise<HttpBench> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const child = spawn(process.execPath, [join(root, 'gpu-backend/main.ts')], {
    env: {
      PATH: process.env.PATH,
      GPU_STORE: store,
      GPU_PORT: '0',
      GPU_PROVIDERS: 'cpu',
      GPU_MAX_BATCH: String(batch),
      GPU_LOG_LEVEL: 'info',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    let listening = 0;
    createInterface(child.stdout).on('line', (line) => {
      const entry = JSON.parse(line) as { event: string; port?: number };
      if (entry.event === 'listening') listening = entry.port ?? 0;
      if (entry.event === 'ready') resolve(listening);
    });
    child.once('exit', (code) => reject(new Error(`the backend ended with code ${code}`)));
  });
  const client = new BackendClient({
    url: `http://127.0.0.1:${port}`,
    token: null,
    fetch,
    now: () => performance.now(),
    random: Math.random,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    maxInFlight: IN_FLIGHT,
    timeoutMs: 300_000,
  });
  const send = async () => {
    const fields = { parameters: { binary_data_output: true }, outputs: [{ name: 'logits' }] };
    const shape = [batch, sidePx, sidePx, 3];
    const { message, data } = reserveInferRequest(fields, [{ name: 'image', datatype: 'UINT8', shape }]);
    for (let index = 0; index < data[0]!.length; index++) data[0]![index] = index * 7919;
    await client.infer({ model: name, version: null, message, rows: batch, outputs: ['logits'] });
  };
  return {
    async measure() {
      const start = performance.now();
      await Promise.all(Array.from({ length: REQUESTS }, send));
      return (1000 * REQUESTS * batch) / (performance.now() - start);
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}
