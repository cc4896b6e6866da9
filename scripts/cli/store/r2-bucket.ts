/**
 * The models bucket from outside a worker, through wrangler: the local one that `wrangler dev` uses, or the real one.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { getPlatformProxy } from 'wrangler';
import { type R2BucketLike, R2ObjectStore } from '../../../model-store/r2-object-store.ts';
import { ConfigurationError } from '../../../worker/errors.ts';
import { readWranglerConfig } from '../deploy/wrangler-config.ts';
import type { OpenStore } from './opened-store.ts';

/** Buckets that commands open, by their binding in wrangler.toml. */
export type BucketBinding = 'MODELS' | 'UPLOADS' | 'JOBS';

/**
 * Opens a bucket that wrangler.toml binds.
 *
 * Local: miniflare on the state folder of `wrangler dev`, which may be running at the same time.
 * Remote: wrangler's remote bindings; needs `wrangler login` or `CLOUDFLARE_API_TOKEN`.
 * Only this one binding is proxied, so that the worker's Durable Objects and queues are not touched.
 * @param configPath of wrangler.toml.
 * @param persistPath of the local state; null for `.wrangler/state/v3` beside wrangler.toml.
 * @param environment a name of `[env.NAME]`; null for the top level.
 * @throws ConfigurationError where wrangler.toml has no such bucket.
 */
export async function openR2Bucket(
  where: 'local' | 'remote',
  configPath: string,
  persistPath: string | null = null,
  environment: string | null = null,
  binding: BucketBinding = 'MODELS',
): Promise<OpenStore> {
  // wrangler talks on standard output, where the commands' JSON goes.
  process.env.WRANGLER_LOG ??= 'error';
  const config = readWranglerConfig(configPath, environment);
  const bucket = config.r2_buckets.find((each) => each.binding === binding);
  if (bucket?.bucket_name === undefined) {
    throw new ConfigurationError(`${configPath}: no [[r2_buckets]] with binding = "${binding}"`);
  }
  const directory = await mkdtemp(join(tmpdir(), 'bit-edge-r2-'));
  try {
    const onlyBucket = {
      name: config.name ?? 'bit-edge',
      ...(config.account_id === undefined ? {} : { account_id: config.account_id }),
      compatibility_date: config.compatibility_date,
      r2_buckets: [{ binding, bucket_name: bucket.bucket_name, remote: where === 'remote' }],
    };
    const onlyBucketPath = join(directory, 'wrangler.json');
    await writeFile(onlyBucketPath, JSON.stringify(onlyBucket));
    const persist = { path: persistPath ?? join(dirname(configPath), '.wrangler/state/v3') };
    const proxy = await getPlatformProxy<Record<BucketBinding, R2BucketLike>>({
      configPath: onlyBucketPath,
      persist,
      envFiles: [],
      remoteBindings: where === 'remote',
    });
    return {
      store: new R2ObjectStore(proxy.env[binding]),
      description: where === 'remote' ? `R2 bucket ${bucket.bucket_name}` : `local R2 bucket ${bucket.bucket_name}`,
      close: () => proxy.dispose(),
    };
  } catch (error) {
    if (where === 'local' || !(error instanceof Error)) throw error;
    throw new ConfigurationError(`R2 bucket ${bucket.bucket_name} is out of reach: ${error.message}`, { cause: error });
  } finally {
    // The configuration is read once, while the proxy starts.
    await rm(directory, { recursive: true, force: true });
  }
}
