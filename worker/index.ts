/** The worker's entry. */
import { waitUntil } from 'cloudflare:workers';
import type { BlobCache } from '../model-store/load.ts';
import { R2ObjectStore } from '../model-store/r2-object-store.ts';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';
import { HeadObject, type HeadWork } from './heads/head-object.ts';
import headKernels from './heads/kernels/heads.wasm';
import { ColoBlobCache } from './inference/colo-blob-cache.ts';
import { startStreamDigest } from './inference/stream-digest.ts';
import { wasmModules } from './inference/wasm-modules.ts';
import { consumeQueue } from './queues.ts';
import { createServices, type Services } from './services.ts';

const blobs: BlobCache = new ColoBlobCache(caches.default, waitUntil);

let services: Services | undefined;

function servicesOf(env: Env): Services {
  services ??= createServices(readConfig({ ...env }), {
    models: new R2ObjectStore(env.MODELS),
    wasmModules,
    blobs,
    startDigest: startStreamDigest,
    cache: caches.default,
    analytics: env.ANALYTICS ?? null,
    images: env.IMAGES ?? null,
    ledgers: env.MODERATION_LEDGER,
    heads: env.HEADS,
    headKernels,
    jobsBucket: env.JOBS,
    jobs: env.BULK_JOB,
    jobDirectories: env.JOB_DIRECTORY,
    workBoard: env.WORK_BOARD,
    bindings: { ...env },
  });
  return services;
}

/** A head, with what its isolate has. */
export class Head extends HeadObject {
  protected override work(): HeadWork {
    return servicesOf(this.env).heads.work();
  }
}

const app = createApp(servicesOf);

export default {
  fetch: app.fetch,
  queue: (batch, env, context) => consumeQueue(batch, servicesOf(env), context),
} satisfies ExportedHandler<Env>;

export { BulkJob } from './jobs/bulk-job.ts';
export { JobDirectory } from './jobs/job-directory.ts';
export { WorkBoard } from './jobs/work/work-board.ts';
export { ModerationLedger } from './moderation/ledger/moderation-ledger.ts';
