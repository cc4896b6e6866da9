/** The backend's process: configuration in, signals and exit codes out. See docs/gpu-backend.md. */
import { AppError } from '../worker/errors.ts';
import { type BackendConfig, readConfig } from './config.ts';
import { startEngine } from './engine.ts';
import { createLog } from './log.ts';
import { startBackend } from './server.ts';
import { folderFiles } from './store/folder-files.ts';
import type { ModelFiles } from './store/model-files.ts';
import { s3Files } from './store/s3-files.ts';

function openStore({ store }: BackendConfig): ModelFiles {
  if (store.kind === 'folder') return folderFiles(store.path);
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  return s3Files(store, { fetch, now: () => new Date(), sleep });
}

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(
    config.logLevel,
    () => new Date(),
    (line) => process.stdout.write(line),
  );
  const engine = startEngine((error) => {
    log('error', 'engine_died', { error });
    process.exit(70);
  });
  const { providers, models, batch } = config;
  log('info', 'starting', {
    pid: process.pid,
    node: process.version,
    store: config.store.kind,
    providers,
    models,
    batch,
  });
  const backend = await startBackend(config, openStore(config), engine, log);
  let draining = false;
  const stop = async (signal: string) => {
    if (draining) process.exit(1);
    draining = true;
    log('info', 'draining', { signal, limitMs: config.drainMs });
    const complete = await backend.drain();
    log(complete ? 'info' : 'error', 'stopped', { complete });
    process.exit(complete ? 0 : 1);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
  await backend.ready;
}

try {
  await main();
} catch (error) {
  const message =
    error instanceof AppError ? `${error.code}: ${error.message}` : error instanceof Error ? error.stack : error;
  process.stderr.write(`gpu-backend: ${message}\n`);
  process.exit(error instanceof AppError ? 1 : 70);
}
