/** A worker's process: engine, decoding threads, the loop, what it says of itself, and how it ends. */
import { createServer, type Server } from 'node:http';
import { availableParallelism, hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackendMetrics } from '../backend-metrics.ts';
import { startEngine } from '../engine.ts';
import type { Provider } from '../engine-protocol.ts';
import type { Log } from '../log.ts';
import { ByteGate } from './byte-gate.ts';
import { DecodePool } from './decode-pool.ts';
import { Deployment } from './deployment.ts';
import { deploymentFiles } from './deployment-files.ts';
import { WorkModels } from './models.ts';
import { GpuWorker } from './worker.ts';

/** How a worker is started. */
export interface WorkOptions {
  readonly url: string;
  readonly key: string | null;
  /** Of `/healthz` and `/metrics`; null: not served. */
  readonly port: number | null;
  readonly host: string;
  /** Memory that images take, in bytes. */
  readonly memoryBytes: number;
  readonly providers: readonly Provider[];
  readonly threads: number;
  readonly maxBatch: number;
  readonly cacheDirectory: string;
}

/** Images under way for each one of a batch: a batch runs, one waits, one is read and decoded. */
const BATCHES_UNDERWAY = 3;

/** Rows that wait at most: what is under way is bounded already. */
const MAX_QUEUE = 1_000_000;

const PROGRESS_MS = 1000;

/** Works until `stop` settles. @returns the exit code. @throws KeyRefused where the key is not believed. */
export async function work(options: WorkOptions, log: Log, stop: Promise<string>): Promise<number> {
  const { url, key, memoryBytes, providers, threads, maxBatch, cacheDirectory } = options;
  const die = (error: Error) => {
    log('error', 'thread_died', { error });
    process.exit(70);
  };
  const engine = startEngine(die);
  const pool = new DecodePool(Math.max(1, availableParallelism() - 1), die);
  const deployment = new Deployment({ url, key, worker: workerName(), fetch, sleep: (ms) => sleep(ms) });
  const metrics: BackendMetrics = new BackendMetrics(
    () => models.loaded,
    () => true,
  );
  const models = new WorkModels({
    files: deploymentFiles(deployment, cacheDirectory),
    engine,
    providers,
    threads,
    batch: { maxBatch, maxDelayMs: 5, maxQueue: MAX_QUEUE },
    metrics,
    log,
  });
  const memory = new ByteGate(memoryBytes);
  const worker = new GpuWorker({ deployment, pool, memory, models, images: BATCHES_UNDERWAY * maxBatch, log });
  const server = options.port === null ? null : await serve(options.port, options.host, metrics);
  log('info', 'working', { url, worker: workerName(), decoders: Math.max(1, availableParallelism() - 1), memoryBytes });
  void stop.then((signal) => {
    log('info', 'stopping', { signal, held: worker.held });
    worker.stop();
  });
  const progress = setInterval(showProgress(worker, log), PROGRESS_MS);
  try {
    await worker.run();
  } finally {
    clearInterval(progress);
    server?.close();
    await Promise.all([pool.close(), engine.close()]);
  }
  log('info', 'stopped', { ...worker.counts });
  return 0;
}

/** What the deployment's board and logs know this process by. */
function workerName(): string {
  return `${hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 40)}:${process.pid}`;
}

function showProgress(worker: GpuWorker, log: Log): () => void {
  let last = 0;
  return () => {
    const { succeeded, failed } = worker.counts;
    const done = succeeded + failed;
    const images_per_s = done - last;
    last = done;
    if (process.stderr.isTTY) {
      process.stderr.write(
        `\r${done} images, ${failed} failed, ${images_per_s}/s, ${worker.held} chunks held \u001b[K`,
      );
    } else if (images_per_s > 0) log('info', 'progress', { ...worker.counts, images_per_s, held: worker.held });
  };
}

async function serve(port: number, host: string, metrics: BackendMetrics): Promise<Server> {
  const server = createServer((request, response) => {
    const isMetrics = request.url === '/metrics';
    response.writeHead(isMetrics || request.url === '/healthz' ? 200 : 404, { 'content-type': 'text/plain' });
    response.end(isMetrics ? metrics.render() : request.url === '/healthz' ? 'ok\n' : 'not found\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}
