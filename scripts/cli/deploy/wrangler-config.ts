/** wrangler.toml as wrangler reads it, and what of it this project looks at. */
import { unstable_readConfig } from 'wrangler';

/** One environment's configuration. https://developers.cloudflare.com/workers/wrangler/configuration/ */
export interface WranglerConfig {
  readonly name?: string;
  readonly main?: string;
  readonly account_id?: string;
  readonly compatibility_date?: string;
  readonly compatibility_flags: readonly string[];
  readonly keep_vars?: boolean;
  readonly limits?: { readonly cpu_ms?: number };
  readonly observability?: { readonly enabled?: boolean };
  readonly assets?: { readonly directory?: string; readonly binding?: string };
  readonly vars: Readonly<Record<string, unknown>>;
  readonly migrations: readonly { readonly tag: string }[];
  readonly r2_buckets: readonly { readonly binding: string; readonly bucket_name?: string }[];
  readonly queues: {
    readonly producers?: readonly { readonly binding: string; readonly queue: string }[];
    readonly consumers?: readonly { readonly queue: string; readonly dead_letter_queue?: string }[];
  };
  readonly durable_objects: { readonly bindings: readonly { readonly name: string; readonly class_name: string }[] };
  readonly ratelimits: readonly { readonly name: string; readonly namespace_id: string }[];
}

/**
 * Reads wrangler.toml.
 * @param environment a name of `[env.NAME]`; null for the top level.
 * @throws Error with wrangler's message for a file that it does not take.
 */
export function readWranglerConfig(path: string, environment: string | null): WranglerConfig {
  return unstable_readConfig(
    { config: path, ...(environment === null ? {} : { env: environment }) },
    { hideWarnings: true },
  );
}
