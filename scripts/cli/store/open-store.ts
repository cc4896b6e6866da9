/** Opens the object store that a command's options name. */
import { resolve } from 'node:path';
import { FolderObjectStore } from './folder-object-store.ts';
import type { OpenStore } from './opened-store.ts';
import type { BucketBinding } from './r2-bucket.ts';

/** Which store is meant; the local bucket where nothing is given. */
export interface StoreOptions {
  /** The real bucket. */
  readonly remote?: boolean;
  /** A folder instead of a bucket. */
  readonly folder?: string;
  /** Default `wrangler.toml`. */
  readonly config?: string;
  /** Which bucket. Default: the models'. */
  readonly binding?: BucketBinding;
  /** A name of `[env.NAME]` in wrangler.toml. Default: its top level. */
  readonly environment?: string;
  /** The local bucket's state. Default `.wrangler/state/v3` beside wrangler.toml. */
  readonly persistPath?: string;
}

/** Opens a store, hands it over, and closes it however that ends. */
export async function withStore<T>(options: StoreOptions, use: (open: OpenStore) => Promise<T>): Promise<T> {
  const open = await openStore(options);
  try {
    return await use(open);
  } finally {
    await open.close();
  }
}

async function openStore(options: StoreOptions): Promise<OpenStore> {
  if (options.folder !== undefined) {
    const root = resolve(options.folder);
    return { store: new FolderObjectStore(root), description: `folder ${root}`, close: async () => {} };
  }
  const where = options.remote === true ? 'remote' : 'local';
  const persistPath = options.persistPath === undefined ? null : resolve(options.persistPath);
  // Loaded when needed: wrangler takes a second to load.
  const { openR2Bucket } = await import('./r2-bucket.ts');
  const configPath = resolve(options.config ?? 'wrangler.toml');
  return openR2Bucket(where, configPath, persistPath, options.environment ?? null, options.binding ?? 'MODELS');
}
