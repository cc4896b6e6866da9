/**
 * The backend's configuration: environment variables, checked once at the start. Pure.
 * Every variable is described in docs/gpu-backend.md.
 */
import { ConfigurationError } from '../worker/errors.ts';
import type { BatchPolicy } from './batcher.ts';
import { PROVIDERS, type Provider } from './engine-protocol.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { type ModelReference, parseModelReference } from './model-reference.ts';

/** Where models come from: a folder, or a bucket behind the S3 API. */
export type StoreConfig =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 's3';
      readonly endpoint: string;
      readonly region: string;
      readonly bucket: string;
      /** Before every key; empty, or ends in a slash. */
      readonly prefix: string;
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      /** Where files are kept once downloaded and verified. */
      readonly cacheDirectory: string;
    };

/** Everything that can be set. */
export interface BackendConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Null: no authorization; allowed on a loopback address only. */
  readonly token: string | null;
  readonly store: StoreConfig;
  /** Empty: every model of the store that has a `gpu` variant. */
  readonly models: readonly ModelReference[];
  /** The alias that names the version of a request without one. */
  readonly defaultAlias: string;
  readonly providers: readonly Provider[];
  readonly threads: number;
  readonly batch: BatchPolicy;
  readonly maxRequestBytes: number;
  /** Bodies of all requests under way together; at least `maxRequestBytes`. */
  readonly maxBodyMemoryBytes: number;
  /** A batch that runs longer makes the process not live: the device hangs. */
  readonly stallMs: number;
  readonly drainMs: number;
  /** How often the store's aliases are read again; 0: never. */
  readonly pollMs: number;
  readonly logLevel: LogLevel;
}

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

/**
 * Reads the configuration.
 * @throws ConfigurationError naming the variable that is wrong.
 */
export function readConfig(env: Environment): BackendConfig {
  const host = text(env, 'GPU_HOST', '127.0.0.1');
  const token = env.GPU_TOKEN || null;
  if (token !== null && (token.length < 16 || !/^[\x21-\x7e]+$/.test(token))) {
    throw new ConfigurationError('GPU_TOKEN: at least 16 printable characters without spaces');
  }
  if (token === null && !LOOPBACK.includes(host)) {
    throw new ConfigurationError(`GPU_TOKEN: needed where GPU_HOST is not a loopback address ("${host}")`);
  }
  const maxRequestBytes = integer(env, 'GPU_MAX_REQUEST_BYTES', 64 * 1024 * 1024, 1024, 2 ** 31 - 1);
  const maxBatch = integer(env, 'GPU_MAX_BATCH', 32, 1, 4096);
  return {
    host,
    token,
    port: integer(env, 'GPU_PORT', 8700, 0, 65535),
    store: readStore(env),
    models: list(env, 'GPU_MODELS', '').map((item) => parseModelReference('GPU_MODELS', item)),
    defaultAlias: parseModelReference('GPU_DEFAULT_ALIAS', `model@${text(env, 'GPU_DEFAULT_ALIAS', 'latest')}`)
      .selector!,
    providers: list(env, 'GPU_PROVIDERS', PROVIDERS.join(',')).map((item) => oneOf('GPU_PROVIDERS', PROVIDERS, item)),
    threads: integer(env, 'GPU_THREADS', 0, 0, 1024),
    batch: {
      maxBatch,
      maxDelayMs: integer(env, 'GPU_MAX_DELAY_MS', 5, 0, 10_000),
      maxQueue: integer(env, 'GPU_MAX_QUEUE', 8 * maxBatch, maxBatch, 1_000_000),
    },
    maxRequestBytes,
    maxBodyMemoryBytes: integer(env, 'GPU_MAX_BODY_MEMORY_BYTES', 8 * maxRequestBytes, maxRequestBytes, 2 ** 40),
    stallMs: 1000 * integer(env, 'GPU_STALL_S', 120, 1, 86_400),
    drainMs: integer(env, 'GPU_DRAIN_MS', 25_000, 0, 3_600_000),
    pollMs: 1000 * integer(env, 'GPU_POLL_S', 30, 0, 86_400),
    logLevel: oneOf('GPU_LOG_LEVEL', LOG_LEVELS, text(env, 'GPU_LOG_LEVEL', 'info')),
  };
}

function readStore(env: Environment): StoreConfig {
  const store = env.GPU_STORE?.trim();
  if (!store) throw new ConfigurationError('GPU_STORE: needed: a folder, or s3://bucket/prefix');
  if (!store.includes('://')) return { kind: 'folder', path: store };
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*?)\/*)?$/.exec(store);
  if (match === null) throw new ConfigurationError(`GPU_STORE: "${store}" is neither a folder nor s3://bucket/prefix`);
  const endpoint = required(env, 'GPU_S3_ENDPOINT');
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new ConfigurationError(`GPU_S3_ENDPOINT: "${endpoint}" is not an http(s) address`);
  }
  return {
    kind: 's3',
    endpoint: endpoint.replace(/\/+$/, ''),
    region: text(env, 'GPU_S3_REGION', 'auto'),
    bucket: match[1]!,
    prefix: match[2] ? `${match[2]}/` : '',
    accessKeyId: required(env, 'GPU_S3_ACCESS_KEY_ID'),
    secretAccessKey: required(env, 'GPU_S3_SECRET_ACCESS_KEY'),
    cacheDirectory: text(env, 'GPU_CACHE_DIR', '.bit-edge-gpu-cache'),
  };
}

function text(env: Environment, name: string, fallback: string): string {
  return env[name]?.trim() || fallback;
}

function required(env: Environment, name: string): string {
  const value = env[name]?.trim();
  if (!value) throw new ConfigurationError(`${name}: needed where GPU_STORE is an s3:// address`);
  return value;
}

function list(env: Environment, name: string, fallback: string): string[] {
  const items = text(env, name, fallback)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  if (new Set(items).size !== items.length)
    throw new ConfigurationError(`${name}: names something twice: ${items.join(',')}`);
  return items;
}

function oneOf<T extends string>(name: string, allowed: readonly T[], value: string): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new ConfigurationError(`${name}: "${value}" is none of ${allowed.join(', ')}`);
  return found;
}

function integer(env: Environment, name: string, fallback: number, least: number, most: number): number {
  const value = env[name]?.trim();
  if (!value) return fallback;
  const number = /^\d{1,13}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) {
    throw new ConfigurationError(`${name}: "${value}" is not a whole number from ${least} to ${most}`);
  }
  return number;
}
