/** How many connections a chunk of a bulk job opens at a time: a chunk of 40 images behind URLs, and a backend that counts. */
import { env } from 'cloudflare:test';
import { expect, it } from 'vitest';
import { R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { readConfig } from '../../../worker/config.ts';
import headKernels from '../../../worker/heads/kernels/heads.wasm';
import { startStreamDigest } from '../../../worker/inference/stream-digest.ts';
import { wasmModules } from '../../../worker/inference/wasm-modules.ts';
import { ConcurrencyLimit } from '../../../worker/jobs/concurrency-limit.ts';
import { BACKEND_CONNECTIONS, IMAGE_CONNECTIONS, PLATFORM_CONNECTIONS } from '../../../worker/jobs/connections.ts';
import { createServices } from '../../../worker/services.ts';

it('the shares of backend and images add up to what the platform gives one invocation', () => {
  expect(BACKEND_CONNECTIONS + IMAGE_CONNECTIONS).toBe(PLATFORM_CONNECTIONS);
  expect(PLATFORM_CONNECTIONS).toBe(6);
});

it('images are read as many at a time as their share, and read on while others are worked on', async () => {
  const { images } = createServices(readConfig({ ...env }), {
    models: new R2ObjectStore(env.MODELS),
    wasmModules,
    headKernels,
    blobs: null,
    startDigest: startStreamDigest,
    cache: caches.default,
    analytics: null,
    images: null,
    ledgers: env.MODERATION_LEDGER,
    heads: env.HEADS,
    jobsBucket: env.JOBS,
    jobs: env.BULK_JOB,
    jobDirectories: env.JOB_DIRECTORY,
    workBoard: env.WORK_BOARD,
    bindings: { ...env },
  });
  await env.UPLOADS.put('incoming/one', new Uint8Array(10));
  const limit = new ConcurrencyLimit(IMAGE_CONNECTIONS);
  let reading = 0;
  let most = 0;
  let working = 0;
  let mostWorking = 0;
  const counting = {
    run: <T>(read: () => Promise<T>): Promise<T> =>
      limit.run(async () => {
        most = Math.max(most, ++reading);
        try {
          return await read();
        } finally {
          reading--;
        }
      }),
  };
  const use = async (bytes: Uint8Array): Promise<number> => {
    mostWorking = Math.max(mostWorking, ++working);
    await new Promise((resolve) => setTimeout(resolve, 20));
    working--;
    return bytes.length;
  };
  const location = { bucket: 'bit-edge-uploads', key: 'incoming/one', etag: null };
  const sizes = await Promise.all(Array.from({ length: 40 }, () => images.withImage(location, use, counting)));
  expect(sizes).toEqual(new Array(40).fill(10));
  expect(most).toBe(IMAGE_CONNECTIONS);
  expect(mostWorking).toBeGreaterThan(IMAGE_CONNECTIONS);
});
