/** Bulk jobs as the routes use them: accept, find, list. */

import type { Variant } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { readManifest } from '../../model-store/versions.ts';
import { JobError, RequestError } from '../errors.ts';
import type { ModelHost } from '../inference/model-host.ts';
import type { BulkJob } from './bulk-job.ts';
import { jobPrefix } from './bulk-job.ts';
import type { DirectoryPage, JobDirectory } from './job-directory.ts';
import type { JobSettings } from './job-settings.ts';
import {
  type InputSource,
  isRefusal,
  JOB_NOT_FOUND,
  type JobSpecification,
  type JobStatus,
  type JobTask,
  type ManifestFormat,
  type Refusal,
} from './records.ts';
import { storeStream } from './store-stream.ts';

/** Multiply-accumulates of a chunk: some ten seconds of WASM. */
const CHUNK_MACS = 50e9;
const MIN_CHUNK_ITEMS = 8;
const MAX_CHUNK_ITEMS = 256;

/** Result lines of a chunk in bytes: they share a row of the job's database, which takes 2 MB. */
const MAX_CHUNK_LINES_BYTES = 1_000_000;

/** Largest manifest in bytes: a million lines of 500. */
export const MAX_MANIFEST_BYTES = 512 * 1024 * 1024;

/** `job_` and 32 hex digits. */
const ID_PATTERN = /^job_[0-9a-f]{32}$/;

/** Inputs of a new job: to be stored, or named. */
export type NewInputs =
  | { readonly kind: 'stream'; readonly body: ReadableStream<Uint8Array>; readonly format: ManifestFormat }
  | Exclude<InputSource, { kind: 'stored' }>;

/** What a client asks for. */
export interface NewJob {
  readonly task: JobTask;
  readonly model: { readonly name: string; readonly reference: string };
  readonly parameters: JobSpecification['parameters'];
  readonly inputs: NewInputs;
  readonly callbackUrl: string | null;
  /** The client's Idempotency-Key; null without one. */
  readonly idempotencyKey: string | null;
  /** Everything that makes the request what it is, for the Idempotency-Key. */
  readonly fingerprint: string;
}

/** What the service is made of. */
export interface JobServiceOptions {
  readonly settings: JobSettings;
  readonly bucket: R2Bucket;
  readonly jobs: DurableObjectNamespace<BulkJob>;
  readonly directories: DurableObjectNamespace<JobDirectory>;
  readonly host: Pick<ModelHost, 'resolve'>;
  readonly models: ObjectStore;
  now(): number;
}

/** See the file's header. */
export class JobService {
  readonly #options: JobServiceOptions;

  constructor(options: JobServiceOptions) {
    this.#options = options;
  }

  /** The deployment's settings. */
  get settings(): JobSettings {
    return this.#options.settings;
  }

  /** The bucket of manifests and results. */
  get bucket(): R2Bucket {
    return this.#options.bucket;
  }

  /**
   * Accepts a job: its inputs are stored and its Durable Object holds it before this returns.
   * @returns its id, and whether an earlier request with the same Idempotency-Key made it.
   * @throws JobError `idempotency_conflict`; ModelError; RequestError `body_too_large`, `empty_body`.
   */
  async create(job: NewJob, tenant: string): Promise<{ id: string; replayed: boolean }> {
    const { bucket, host, models, settings, now } = this.#options;
    const { name, reference } = job.model;
    const version = await host.resolve(name, reference);
    const manifest = await readManifest(models, name, version);
    const variant = manifest.variants[manifest.default_variant]!;
    const id = `job_${crypto.randomUUID().replaceAll('-', '')}`;
    const directory = this.#directory(tenant);
    if (job.idempotencyKey !== null) {
      const request = await sha256Hex(new TextEncoder().encode(job.fingerprint));
      const reservation = await directory.reserve(job.idempotencyKey, request, id);
      if (reservation.kind === 'same') return { id: reservation.job, replayed: true };
      if (reservation.kind === 'other') {
        throw new JobError('idempotency_conflict', 'this Idempotency-Key was used with another request');
      }
    }
    try {
      const source = await this.#source(id, job.inputs);
      const specification: JobSpecification = {
        id,
        task: job.task,
        model: { name, version },
        parameters: job.parameters,
        source,
        chunkItems: chunkItems(job, variant),
        callbackUrl: job.callbackUrl,
        createdAtMs: now(),
        retentionMs: settings.retentionMs,
      };
      await this.find(id).create(specification, tenant);
      await directory.add({
        id,
        createdAtMs: specification.createdAtMs,
        task: job.task,
        model: `${name}@${version}`,
        state: 'running',
      });
      return { id, replayed: false };
    } catch (error) {
      if (job.idempotencyKey !== null) await directory.release(job.idempotencyKey);
      await bucket.delete(manifestObjectKey(id));
      throw error;
    }
  }

  /** A job's Durable Object. @throws JobError `job_not_found` where the id is none. */
  find(id: string): DurableObjectStub<BulkJob> {
    if (!ID_PATTERN.test(id)) throw new JobError('job_not_found', `there is no job "${id.slice(0, 80)}"`);
    return this.#options.jobs.get(this.#options.jobs.idFromName(id));
  }

  /** Where a tenant's job is. @throws JobError `job_not_found`, also where it is another tenant's. */
  async status(id: string, tenant: string): Promise<JobStatus> {
    const status = accept<JobStatus>(await this.find(id).status());
    if (status.tenant === tenant) return status;
    return accept<JobStatus>(JOB_NOT_FOUND);
  }

  /** Stops a job. @throws JobError `job_not_found`, `job_state_conflict` where it has completed. */
  async cancel(id: string, tenant: string): Promise<void> {
    await this.status(id, tenant);
    const refusal = await this.find(id).cancel();
    if (refusal !== null) accept(refusal);
  }

  /** Makes a completed job's failed items pending again. @returns how many. @throws JobError `job_not_found`, `job_state_conflict`. */
  async retryFailed(id: string, tenant: string): Promise<number> {
    await this.status(id, tenant);
    return accept<number>(await this.find(id).retryFailed());
  }

  /** A page of a tenant's jobs, newest first. */
  list(tenant: string, cursor: string | null, limit: number): Promise<DirectoryPage> {
    return this.#directory(tenant).list(cursor, limit);
  }

  async #source(id: string, inputs: NewInputs): Promise<InputSource> {
    const { bucket, settings } = this.#options;
    if (inputs.kind === 'stream') {
      const key = manifestObjectKey(id);
      await storeStream(bucket, key, inputs.body, MAX_MANIFEST_BYTES);
      return { kind: 'stored', key, format: inputs.format };
    }
    const named = settings.moderation.buckets.find((each) => each.name === inputs.bucket);
    const path = inputs.kind === 'manifest' ? inputs.key : inputs.prefix;
    if (named === undefined || !named.prefixes.some((prefix) => path.startsWith(prefix))) {
      throw new RequestError(
        'invalid_body',
        `bucket "${inputs.bucket}" or "${path}" is not one that inputs are read from`,
        {
          details: { bucket: inputs.bucket },
        },
      );
    }
    if (inputs.kind === 'manifest' && (await settings.bucket(inputs.bucket).head(inputs.key)) === null) {
      throw new RequestError('invalid_body', `there is no manifest "${inputs.key}" in bucket "${inputs.bucket}"`);
    }
    return inputs;
  }

  #directory(tenant: string): DurableObjectStub<JobDirectory> {
    return this.#options.directories.get(this.#options.directories.idFromName(tenant));
  }
}

/** Items of a chunk: as many as are worth a message, and as their lines have room for. */
function chunkItems({ task, parameters }: NewJob, { macs, outputs }: Variant): number {
  const byCost = Math.max(MIN_CHUNK_ITEMS, Math.min(MAX_CHUNK_ITEMS, Math.floor(CHUNK_MACS / Math.max(1, macs))));
  const pooled = outputs.find(({ name }) => name === 'pooler_output')?.shape ?? [];
  const features = pooled.reduce((product: number, size) => product * (typeof size === 'number' ? size : 1), 1);
  // Base64 of float32; a prediction is a label, an index and a score.
  const answerBytes =
    task === 'embed' ? (features * 16) / 3 : task === 'classify' ? Number(parameters.top_k) * 120 : 2000;
  return Math.max(1, Math.min(byCost, Math.floor(MAX_CHUNK_LINES_BYTES / (answerBytes + 500))));
}

function accept<T extends object | number>(answer: T | Refusal): T {
  if (!isRefusal(answer)) return answer;
  const { code, message, state } = answer.refused;
  throw new JobError(code, message, state === undefined ? {} : { details: { state } });
}

function manifestObjectKey(id: string): string {
  return `${jobPrefix(id)}manifest`;
}
