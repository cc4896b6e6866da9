/** One running backend: engine, models, HTTP; and how it ends. */
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { createApp } from './app.ts';
import { BackendMetrics } from './backend-metrics.ts';
import { ByteBudget } from './byte-budget.ts';
import type { BackendConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { Lifecycle } from './lifecycle.ts';
import { loadModel } from './load-model.ts';
import type { Log } from './log.ts';
import { Registry } from './registry.ts';
import { ServedModel, sessionName } from './served-model.ts';
import type { ModelFiles } from './store/model-files.ts';

/** A backend that listens. */
export interface RunningBackend {
  readonly port: number;
  /** Resolves when the models are loaded and warm. @throws what loading throws. */
  readonly ready: Promise<void>;
  /** Refuses new requests, answers the accepted ones, then closes everything. Resolves to whether all were answered in time. */
  drain(): Promise<boolean>;
}

/** Starts listening at once (live, not ready), then loads the models. */
export async function startBackend(
  config: BackendConfig,
  files: ModelFiles,
  engine: Engine,
  log: Log,
): Promise<RunningBackend> {
  const lifecycle = new Lifecycle();
  const now = () => performance.now();
  const { batch, providers, threads } = config;
  const registry: Registry = new Registry({
    files,
    references: config.models,
    defaultAlias: config.defaultAlias,
    load: (manifest) => loadModel(manifest, { files, engine, providers, threads, maxBatch: batch.maxBatch }),
    serve: ({ name, version }, { signature, loaded }) =>
      new ServedModel({ name, version, signature, loaded, engine, batch, metrics, hooks: { now, schedule } }),
    release: ({ name, version }) => engine.release(sessionName(name, version)),
    log,
  });
  const metrics: BackendMetrics = new BackendMetrics(
    () => registry.models(),
    () => lifecycle.phase === 'ready',
  );
  const { token, maxRequestBytes } = config;
  const bodies = new ByteBudget(config.maxBodyMemoryBytes);
  const isStalled = () => engine.busyMs() > config.stallMs;
  const app = createApp({ registry, lifecycle, metrics, token, maxRequestBytes, bodies, isStalled, log, now });
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  log('info', 'listening', { host: config.host, port });

  let poll: NodeJS.Timeout | null = null;
  const pollOnce = async () => {
    try {
      await registry.sync(false);
    } catch (error) {
      log('error', 'store_unavailable', { error });
    }
    if (lifecycle.phase === 'ready') poll = setTimeout(() => void pollOnce(), config.pollMs);
  };
  const load = async () => {
    await registry.sync(true);
    const models = Array.from(registry.models(), ({ name, version }) => sessionName(name, version));
    if (models.length === 0) log('warn', 'no_models', { store: config.store.kind });
    lifecycle.markReady();
    log('info', 'ready', { models });
    if (config.pollMs > 0) poll = setTimeout(() => void pollOnce(), config.pollMs);
  };

  const drain = async (): Promise<boolean> => {
    lifecycle.markDraining();
    if (poll !== null) clearTimeout(poll);
    const finished = Promise.all([registry.drain(), lifecycle.idle()]).then(() => true);
    const { promise: late, resolve: giveUp } = Promise.withResolvers<boolean>();
    const deadline = setTimeout(() => giveUp(false), config.drainMs);
    const complete = await Promise.race([finished, late]);
    clearTimeout(deadline);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    if ('closeIdleConnections' in server) server.closeIdleConnections();
    const closeAll = setTimeout(() => {
      if ('closeAllConnections' in server) server.closeAllConnections();
    }, LAST_WRITE_MS);
    await closed;
    clearTimeout(closeAll);
    if (complete) await engine.close();
    return complete;
  };
  return { port, ready: load(), drain };
}

/** How long a last response may take to be written once everything is answered. */
const LAST_WRITE_MS = 1000;

function schedule(ms: number, task: () => void): () => void {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
}
