/** The variables of a deployment that concern bulk jobs. */

import { type Bindings, bucketBinding } from '../bindings.ts';
import { type CallbackSettings, readCallbackSettings } from '../callbacks/callback-settings.ts';
import { ConfigurationError } from '../errors.ts';
import { readUrlPolicy } from '../fetch/settings.ts';
import type { UrlPolicy } from '../fetch/url-policy.ts';
import { type ImageBucket, readImageBuckets } from '../images/image-buckets.ts';
import { readChoice, readNumber, readText } from '../variables.ts';

/** Who answers: the GPU backend and WASM where it is down, the GPU backend alone, or WASM alone. */
export type JobEngine = 'auto' | 'gpu' | 'wasm';

export interface JobSettings {
  /** `JOB_ENGINE`, default `auto`. */
  readonly engine: JobEngine;
  /** Base URL of the GPU backend. `GPU_BACKEND_URL`; null where there is none. */
  readonly backendUrl: string | null;
  /** Bearer token of the GPU backend. `GPU_BACKEND_TOKEN`; deploy it as a secret. */
  readonly backendToken: string | null;
  /** Chunks of one job that are in the queue at a time. `JOB_MAX_CHUNKS_IN_FLIGHT`, default 32. */
  readonly maxChunksInFlight: number;
  /** A chunk without a sign of life for this long is sent again, in ms. `JOB_SILENCE_MS`, default 10 min. */
  readonly silenceMs: number;
  /** How often a running job looks after itself, in ms. `JOB_TICK_MS`, default 15 s. */
  readonly tickMs: number;
  /** How long a finished job is kept, in ms. `JOB_RETENTION_HOURS`, default 168. */
  readonly retentionMs: number;
  /** First delay before a chunk with items left over is tried again, in seconds. `JOB_RETRY_SECONDS`, default 5. */
  readonly retrySeconds: number;
  readonly urlPolicy: UrlPolicy;
  readonly callbacks: CallbackSettings;
  /** Buckets that images and manifests are read from; the first is the default. */
  readonly buckets: readonly ImageBucket[];
  /** A bucket that images and manifests are read from. @throws ConfigurationError where the settings name none. */
  bucket(name: string): R2Bucket;
}

/**
 * Reads the settings.
 * @throws ConfigurationError naming the first variable that is wrong.
 */
export function readJobSettings(bindings: Bindings): JobSettings {
  const urlPolicy = readUrlPolicy(bindings);
  const buckets = readImageBuckets(bindings);
  return {
    engine: readChoice(bindings, 'JOB_ENGINE', ['auto', 'gpu', 'wasm']),
    backendUrl: readText(bindings, 'GPU_BACKEND_URL'),
    backendToken: readText(bindings, 'GPU_BACKEND_TOKEN'),
    maxChunksInFlight: readNumber(bindings, 'JOB_MAX_CHUNKS_IN_FLIGHT', 32, 1, 1000),
    silenceMs: readNumber(bindings, 'JOB_SILENCE_MS', 600_000, 100, 86_400_000),
    tickMs: readNumber(bindings, 'JOB_TICK_MS', 15_000, 50, 600_000),
    retentionMs: readNumber(bindings, 'JOB_RETENTION_HOURS', 168, 0.001, 87_600) * 3_600_000,
    retrySeconds: readNumber(bindings, 'JOB_RETRY_SECONDS', 5, 0, 3600),
    urlPolicy,
    callbacks: readCallbackSettings(bindings, urlPolicy),
    buckets,
    bucket(name) {
      const bucket = buckets.find((each) => each.name === name);
      if (bucket === undefined) throw new ConfigurationError(`there is no bucket "${name}" that images are read from`);
      return bucketBinding(bindings, bucket.binding);
    },
  };
}
