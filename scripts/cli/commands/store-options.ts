/** Options that every command on the model store has, and how its answer is printed. */
import { join } from 'node:path';
import type { StoreOptions } from '../store/open-store.ts';

/** For `parseArgs`. */
export const STORE_OPTIONS = {
  remote: { type: 'boolean', default: false },
  store: { type: 'string' },
  config: { type: 'string' },
  env: { type: 'string' },
  'persist-to': { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Their part of a command's help. */
export const STORE_HELP = `  --remote           the real bucket, through wrangler (wrangler login, or CLOUDFLARE_API_TOKEN). Default: the local one
                     that wrangler dev uses; it may be running.
  --store DIR        a folder instead of a bucket.
  --config FILE      wrangler.toml of the bucket. Default: wrangler.toml
  --env NAME         an environment of wrangler.toml: staging, production. Default: its top level.
  --persist-to DIR   the local bucket's state, as wrangler dev has it. Default: .wrangler/state beside wrangler.toml
  --json             the result as JSON on standard output.
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
