/**
 * Env -> frozen Config. A bad value fails at once and names the variable. Only `index`, `app` and this file see `Env`.
 */

import { NAME_PATTERN } from '../model-store/layout.ts';
import defaultModel from '../model-store/models/default.json' with { type: 'json' };
import type { AuthMode } from './auth/authenticate.ts';
import { ConfigurationError } from './errors.ts';
import { DEFAULT_MEMORY_BUDGET_BYTES } from './inference/memory-plan.ts';
import type { EngineChoice } from './inference/prepare-variant.ts';
import { readBoolean, readChoice, readInteger, readList, type Variables } from './variables.ts';

const MIB = 1024 * 1024;

/** What a deployment can set; every value has a default. */
export interface Config {
  /** Name of the model that answers where the request names none. `DEFAULT_MODEL`. */
  readonly defaultModel: string;
  /** Alias or version that answers where the request names none. `DEFAULT_MODEL_VERSION`, default `latest`. */
  readonly defaultModelVersion: string;
  /** Largest request body in bytes. `MAX_BODY_BYTES`, default 20 MiB. */
  readonly maxBodyBytes: number;
  /** Longest wait for the next byte of a body, in ms. `BODY_IDLE_MS`, default 10,000. */
  readonly bodyIdleMs: number;
  /** Longest time that a client takes to send a body, in ms. `BODY_TOTAL_MS`, default 100,000. */
  readonly bodyTotalMs: number;
  /** Bodies that an isolate receives of one key or address at a time. `MAX_UPLOADS_PER_CALLER`, default 64. */
  readonly maxUploadsPerCaller: number;
  /** Images in one request; more are a job. `MAX_IMAGES_PER_REQUEST`, default 16. */
  readonly maxImagesPerRequest: number;
  /** Largest image in pixels. `MAX_IMAGE_PIXELS`, default 50 million. */
  readonly maxImagePixels: number;
  /** Longest image edge in px. `MAX_IMAGE_EDGE_PX`, default 20,000. */
  readonly maxImageEdgePx: number;
  /** Memory one decode may take in bytes. `MAX_DECODE_BYTES`, default 40 MiB. */
  readonly maxDecodeBytes: number;
  /** Memory of the isolate that is given out, WASM heap included, in bytes. `MEMORY_BUDGET_BYTES`, default 104 MiB of the platform's 128 MB. */
  readonly memoryBudgetBytes: number;
  /** Requests in flight, counted by what they lease. `MAX_LEASES`, default 128. */
  readonly maxLeases: number;
  /** Requests that wait for memory or their turn; beyond it 503. `MAX_WAITING`, default 64. */
  readonly maxWaiting: number;
  /** How long a request waits before 503, in ms. `MAX_WAIT_MS`, default 10,000. */
  readonly maxWaitMs: number;
  /** How long an answer is kept in the colo's cache, in seconds; 0 turns the result cache off. `RESULT_CACHE_TTL_S`, default 3600. */
  readonly resultCacheTtlSeconds: number;
  /** True: answers are shared between API keys. `RESULT_CACHE_SHARED`, default false. */
  readonly resultCacheShared: boolean;
  /** `keys`, or `none` to let everyone in. `AUTH`, default `keys`: closed while there is no key, but for a local deployment. */
  readonly authMode: AuthMode;
  /** True on a developer's machine: open on localhost while there is no key. `LOCAL_DEVELOPMENT`, default false; `npm start` sets it. */
  readonly localDevelopment: boolean;
  /** Origins that browsers may call from; `*` for all. `CORS_ORIGINS`, comma-separated, default none. */
  readonly corsOrigins: readonly string[];
  /** How long an alias look-up is believed, in ms. A moved alias is seen within twice that. `ALIAS_MAX_AGE_MS`, default 20,000. */
  readonly aliasMaxAgeMs: number;
  /** How long the examples of a head must rest before a version is trained, in ms. `HEAD_DEBOUNCE_MS`, default 1,000. */
  readonly headDebounceMs: number;
  /** False: the console's pages are not served. `CONSOLE`, `on` or `off`, default on. */
  readonly console: boolean;
  /** Who runs models: `auto` (the engine what it recognises, onnxruntime the rest), `bit` or `onnxruntime`. `INFERENCE_ENGINE`. */
  readonly inferenceEngine: EngineChoice;
}

/**
 * Reads the configuration.
 * @throws ConfigurationError naming the first variable that is wrong.
 */
export function readConfig(env: Variables): Config {
  return Object.freeze({
    defaultModel: readName(env, 'DEFAULT_MODEL', defaultModel.name),
    defaultModelVersion: readName(env, 'DEFAULT_MODEL_VERSION', 'latest'),
    maxBodyBytes: readInteger(env, 'MAX_BODY_BYTES', 20 * MIB, 1, 100 * MIB),
    bodyIdleMs: readInteger(env, 'BODY_IDLE_MS', 10_000, 100, 100_000),
    bodyTotalMs: readInteger(env, 'BODY_TOTAL_MS', 100_000, 100, 150_000),
    maxUploadsPerCaller: readInteger(env, 'MAX_UPLOADS_PER_CALLER', 64, 1, 10_000),
    maxImagesPerRequest: readInteger(env, 'MAX_IMAGES_PER_REQUEST', 16, 1, 1000),
    maxImagePixels: readInteger(env, 'MAX_IMAGE_PIXELS', 50_000_000, 1, 1_000_000_000),
    maxImageEdgePx: readInteger(env, 'MAX_IMAGE_EDGE_PX', 20_000, 1, 65_535),
    maxDecodeBytes: readInteger(env, 'MAX_DECODE_BYTES', 40 * MIB, MIB, 100 * MIB),
    memoryBudgetBytes: readInteger(env, 'MEMORY_BUDGET_BYTES', DEFAULT_MEMORY_BUDGET_BYTES, 48 * MIB, 4096 * MIB),
    maxLeases: readInteger(env, 'MAX_LEASES', 128, 1, 10_000),
    maxWaiting: readInteger(env, 'MAX_WAITING', 64, 0, 10_000),
    maxWaitMs: readInteger(env, 'MAX_WAIT_MS', 10_000, 0, 60_000),
    resultCacheTtlSeconds: readInteger(env, 'RESULT_CACHE_TTL_S', 3600, 0, 31_536_000),
    resultCacheShared: readBoolean(env, 'RESULT_CACHE_SHARED', false),
    authMode: readChoice(env, 'AUTH', ['keys', 'none']),
    localDevelopment: readBoolean(env, 'LOCAL_DEVELOPMENT', false),
    corsOrigins: readList(env, 'CORS_ORIGINS'),
    aliasMaxAgeMs: readInteger(env, 'ALIAS_MAX_AGE_MS', 20_000, 0, 30_000),
    headDebounceMs: readInteger(env, 'HEAD_DEBOUNCE_MS', 1_000, 0, 600_000),
    console: readChoice(env, 'CONSOLE', ['on', 'off']) === 'on',
    inferenceEngine: readEngineChoice(env),
  });
}

function readName(env: Variables, variable: string, fallback: string): string {
  const value = env[variable];
  if (value === undefined || value === '') return fallback;
  if (typeof value === 'string' && NAME_PATTERN.test(value)) return value;
  throw new ConfigurationError(`${variable} is "${String(value)}"; it must be 1 to 64 of a-z 0-9 . _ -`);
}

/** `INFERENCE_ENGINE`, default `auto`. @throws ConfigurationError. */
export function readEngineChoice(env: Variables): EngineChoice {
  return readChoice(env, 'INFERENCE_ENGINE', ['auto', 'bit', 'onnxruntime']);
}
