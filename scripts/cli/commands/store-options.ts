/** Options that commands share: of the model store, of buckets, of a running deployment; and how an answer is printed. */
import { join } from 'node:path';
import type { StoreOptions } from '../store/open-store.ts';

const COMMON_OPTIONS = {
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** For `parseArgs`, in commands on buckets. */
export const BUCKET_OPTIONS = {
  ...COMMON_OPTIONS,
  remote: { type: 'boolean', default: false },
  config: { type: 'string' },
  env: { type: 'string' },
  'persist-to': { type: 'string' },
} as const;

/** The same of the model store, which may be a folder. */
export const STORE_OPTIONS = { ...BUCKET_OPTIONS, store: { type: 'string' } } as const;

/** For `parseArgs`, in commands that call a running deployment. */
export const DEPLOYMENT_OPTIONS = {
  ...COMMON_OPTIONS,
  url: { type: 'string', default: 'http://127.0.0.1:8787' },
  key: { type: 'string' },
} as const;

/** Part of the help of commands on buckets: which ones. */
export const BUCKET_HELP = `  --config FILE      wrangler.toml that binds them. Default: wrangler.toml
  --env NAME         an environment of wrangler.toml: staging, production. Default: its top level.
  --persist-to DIR   the local buckets' state, as wrangler dev has it. Default: .wrangler/state beside wrangler.toml
  --json             the result as JSON on standard output.`;

/** Part of the help of commands on the model store. */
export const STORE_HELP = `  --remote           the real bucket, through wrangler (wrangler login, or CLOUDFLARE_API_TOKEN). Default: the local one
                     that wrangler dev uses; it may be running.
  --store DIR        a folder instead of a bucket.
${BUCKET_HELP}
Exit codes: 0 done, 1 failed, 2 wrong usage.
`;

interface ParsedStoreOptions {
  readonly remote: boolean;
  readonly store?: string | undefined;
  readonly config?: string | undefined;
  readonly env?: string | undefined;
  readonly 'persist-to'?: string | undefined;
}

/** The store that parsed options name. wrangler keeps its state in `v3` of what `--persist-to` says, and so do we. */
export function toStoreOptions(values: ParsedStoreOptions): StoreOptions {
  return {
    remote: values.remote,
    ...(values.store === undefined ? {} : { folder: values.store }),
    ...(values.config === undefined ? {} : { config: values.config }),
    ...(values.env === undefined ? {} : { environment: values.env }),
    ...(values['persist-to'] === undefined ? {} : { persistPath: join(values['persist-to'], 'v3') }),
  };
}

/** Prints a result: as JSON, or as text for people. */
export function print(json: boolean, value: unknown, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
}

/** Says what is wrong with the arguments, with the help; gives the exit code. */
export function wrongUsage(command: string, problem: string, help: string): number {
  process.stderr.write(`bit-edge ${command}: ${problem}\n\n${help}`);
  return 2;
}
