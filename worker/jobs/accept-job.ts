/**
 * How a bulk job comes to be: its inputs are stored, then its Durable Object holds it, then it is answered for. With an
 * Idempotency-Key all of that happens once, whatever is killed in between: the key counts from when the inputs are stored, and the
 * next request with it makes what is still missing.
 */
import type { StartDigest } from '../../model-store/digest.ts';
import type { Variant } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { readManifest } from '../../model-store/versions.ts';
import { JobError, RequestError } from '../errors.ts';
import type { HeadService } from '../heads/head-service.ts';
import { forGpuAlone, isForGpuAlone } from '../inference/memory-plan.ts';
import type { Traceparent } from '../observability/trace.ts';
import { type BulkJob, jobPrefix } from './bulk-job.ts';
import type { Reservation } from './idempotency-store.ts';
import type { JobDirectory } from './job-directory.ts';
import type { JobSettings } from './job-settings.ts';
import type { InputSource, JobSpecification, JobTask, ManifestFormat } from './records.ts';
import { type StoredStream, type StreamWatch, storeStream } from './store-stream.ts';

/** Multiply-accumulates of a chunk: some ten seconds of WASM where it answers, and a minute where it only stands in for a GPU. */
const CHUNK_MACS = { wasm: 50e9, gpu: 1000e9 } as const;
const MIN_CHUNK_ITEMS = 8;
export const MAX_CHUNK_ITEMS = 256;

/** Result lines of a chunk in bytes: they share a row of the job's database, which takes 2 MB. */
export const MAX_CHUNK_LINES_BYTES = 1_000_000;

/** Largest manifest in bytes: a million lines of 500. */
export const MAX_MANIFEST_BYTES = 512 * 1024 * 1024;

/** Bytes of a repeated manifest that are compared at a time. */
const COMPARE_BYTES = 64 * 1024;

/** How often an upload says that it goes on, in ms: well within the silence after which its key is taken over. */
const RENEW_MS = 10_000;

/** Seconds after which a request may be sent again that came while another with its key was being received. */
const IN_PROGRESS_RETRY_SECONDS = 5;

/** Inputs of a new job: to be stored, or named. */
export type NewInputs =
  | ({ readonly kind: 'stream'; readonly format: ManifestFormat } & StoredStream)
  | Exclude<InputSource, { kind: 'stored' }>;

/** What a client asks for. */
export interface NewJob {
  readonly task: JobTask;
  readonly model: { readonly name: string; readonly reference: string };
  readonly parameters: JobSpecification['parameters'];
  readonly inputs: NewInputs;
  readonly callbackUrl: string | null;
  /** Of the request. */
  readonly traceparent?: Traceparent;
  /** The client's Idempotency-Key; null without one. */
  readonly idempotencyKey: string | null;
}

/** What a job is accepted with. */
export interface AcceptParts {
  readonly settings: JobSettings;
  readonly bucket: R2Bucket;
  readonly jobs: DurableObjectNamespace<BulkJob>;
  /** Of models and heads: what a name stands for. */
  readonly heads: Pick<HeadService, 'versionOf' | 'library'>;
  readonly models: ObjectStore;
  /** True where a GPU worker was heard of lately. */
  isAttended(): Promise<boolean>;
  readonly startDigest: StartDigest;
  now(): number;
}

/** One request's job. */
export class JobAcceptance {
  readonly #parts: AcceptParts;
  readonly #job: NewJob;
  readonly #tenant: string;
  readonly #directory: DurableObjectStub<JobDirectory>;
  readonly #id = `job_${crypto.randomUUID().replaceAll('-', '')}`;

  constructor(parts: AcceptParts, job: NewJob, tenant: string, directory: DurableObjectStub<JobDirectory>) {
    this.#parts = parts;
    this.#job = job;
    this.#tenant = tenant;
    this.#directory = directory;
  }

  /**
   * Makes the job, or finds the one that its key made.
   * @throws JobError `idempotency_conflict`, `idempotency_in_progress`; ModelError; RequestError `body_too_large`, `empty_body`.
   */
  async accept(): Promise<{ id: string; replayed: boolean }> {
    const { idempotencyKey: key } = this.#job;
    if (key === null) {
      const specification = await this.#store(null);
      await this.#make(specification).catch((error: unknown) => this.#discard(this.#id, error));
      return { id: this.#id, replayed: false };
    }
    const reservation = await this.#directory.reserve(key, this.#id);
    switch (reservation.kind) {
      case 'running':
        throw inProgress();
      case 'made':
        return this.#replay(reservation);
      case 'new':
        if (reservation.replaced !== null) await this.#parts.bucket.delete(manifestObjectKey(reservation.replaced));
        return this.#first(key);
    }
  }

  async #first(key: string): Promise<{ id: string; replayed: boolean }> {
    const { now, startDigest } = this.#parts;
    const digest = startDigest();
    let renewedAt = now();
    const watch: StreamWatch = async (chunk) => {
      await digest.update(chunk);
      if (now() - renewedAt < RENEW_MS) return;
      renewedAt = now();
      if (!(await this.#directory.renew(key, this.#id))) throw inProgress();
    };
    let specification: JobSpecification;
    try {
      specification = await this.#store(watch);
      const fingerprint = { request: await this.#requestDigest(), content: await this.#contentDigest(digest) };
      if (!(await this.#directory.commit(key, fingerprint, specification))) throw inProgress();
    } catch (error) {
      await this.#directory.release(key, this.#id);
      return this.#discard(this.#id, error);
    }
    // From here on nothing is undone: the next request with this key goes on where this one ends.
    await this.#make(specification);
    return { id: this.#id, replayed: false };
  }

  async #replay({
    job,
    fingerprint,
    unmade,
  }: Reservation & { kind: 'made' }): Promise<{ id: string; replayed: boolean }> {
    const conflict = new JobError('idempotency_conflict', 'this Idempotency-Key was used with another request');
    if (fingerprint.request !== (await this.#requestDigest())) throw conflict;
    const digest = this.#parts.startDigest();
    const { inputs } = this.#job;
    if (inputs.kind === 'stream') {
      let memory = new ArrayBuffer(COMPARE_BYTES);
      for (let bytes = 0; ; ) {
        const { buffer, length } = await inputs.source.read(memory, 0);
        if (length === 0) break;
        bytes += length;
        if (bytes > MAX_MANIFEST_BYTES) throw conflict;
        await digest.update(new Uint8Array(buffer, 0, length));
        memory = buffer;
      }
    }
    if (fingerprint.content !== (await this.#contentDigest(digest))) throw conflict;
    if (unmade !== null) await this.#make(unmade);
    return { id: job, replayed: true };
  }

  /** Everything that was read of the request but its inputs, however it was written. */
  #requestDigest(): Promise<string> {
    const { task, model, parameters, callbackUrl, inputs } = this.#job;
    const named = inputs.kind === 'stream' ? { kind: inputs.kind, format: inputs.format } : inputs;
    const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
    const read = [task, model.name, model.reference, sorted, callbackUrl, named];
    return sha256Hex(new TextEncoder().encode(JSON.stringify(read)));
  }

  async #contentDigest(digest: ReturnType<StartDigest>): Promise<string> {
    return this.#job.inputs.kind === 'stream' ? digest.hex() : '';
  }

  /** Stores the inputs. @returns what the job is to be. */
  async #store(watch: StreamWatch | null): Promise<JobSpecification> {
    const { heads, models, settings, now } = this.#parts;
    const { model, task, parameters, callbackUrl, traceparent, inputs } = this.#job;
    const version = await heads.versionOf(model);
    const found = await heads.library.find({ ...model, reference: version });
    const network = found?.version.backbone ?? { name: model.name, version };
    const manifest = await readManifest(models, network.name, network.version);
    const hasGpu = settings.engine !== 'wasm' && (settings.backendUrl !== null || (await this.#parts.isAttended()));
    const isGpuAlone = isForGpuAlone(manifest);
    if (isGpuAlone && !hasGpu) throw forGpuAlone(manifest);
    const source = await this.#source(inputs, watch);
    return {
      id: this.#id,
      task,
      model: { name: model.name, version },
      ...(found === null ? {} : { head: { tenant: this.#tenant, backbone: network } }),
      parameters,
      source,
      ...(manifest.variants.gpu === undefined ? {} : { gpu: isGpuAlone ? 'alone' : 'able' }),
      chunkItems: chunkItems(
        this.#job,
        manifest.variants[manifest.default_variant]!,
        hasGpu || settings.engine === 'gpu' ? 'gpu' : 'wasm',
      ),
      callbackUrl,
      ...(traceparent === undefined ? {} : { traceparent }),
      createdAtMs: now(),
      retentionMs: settings.retentionMs,
    };
  }

  async #source(inputs: NewInputs, watch: StreamWatch | null): Promise<InputSource> {
    const { bucket, settings } = this.#parts;
    if (inputs.kind === 'stream') {
      const key = manifestObjectKey(this.#id);
      await storeStream(bucket, key, inputs, MAX_MANIFEST_BYTES, watch);
      return { kind: 'stored', key, format: inputs.format };
    }
    const named = settings.buckets.find((each) => each.name === inputs.bucket);
    const path = inputs.kind === 'manifest' ? inputs.key : inputs.prefix;
    if (named === undefined || !named.prefixes.some((prefix) => path.startsWith(prefix))) {
      throw new RequestError(
        'invalid_body',
        `bucket "${inputs.bucket}" or "${path}" is not one that inputs are read from`,
        { details: { bucket: inputs.bucket } },
      );
    }
    if (inputs.kind === 'manifest' && (await settings.bucket(inputs.bucket).head(inputs.key)) === null) {
      throw new RequestError('invalid_body', `there is no manifest "${inputs.key}" in bucket "${inputs.bucket}"`);
    }
    return inputs;
  }

  /** The job's Durable Object and its line in the list; a second time changes nothing. */
  async #make(specification: JobSpecification): Promise<void> {
    const { jobs } = this.#parts;
    const { id, createdAtMs, task, model } = specification;
    await jobs.get(jobs.idFromName(id)).create(specification, this.#tenant);
    await this.#directory.add({ id, createdAtMs, task, model: `${model.name}@${model.version}`, state: 'running' });
  }

  async #discard(id: string, error: unknown): Promise<never> {
    await this.#parts.bucket.delete(manifestObjectKey(id));
    throw error;
  }
}

/** Items of a chunk: as many as are worth a message, and as their lines have room for. */
function chunkItems({ task, parameters }: NewJob, { macs, outputs }: Variant, engine: keyof typeof CHUNK_MACS): number {
  const chunkMacs = CHUNK_MACS[engine];
  const byCost = Math.max(MIN_CHUNK_ITEMS, Math.min(MAX_CHUNK_ITEMS, Math.floor(chunkMacs / Math.max(1, macs))));
  const pooled = outputs.find(({ name }) => name === 'pooler_output')?.shape ?? [];
  const features = pooled.reduce((product: number, size) => product * (typeof size === 'number' ? size : 1), 1);
  // Base64 of float32; a prediction is a label, an index and a score.
  const answerBytes =
    task === 'embed' ? (features * 16) / 3 : task === 'classify' ? Number(parameters.top_k) * 120 : 2000;
  return Math.max(1, Math.min(byCost, Math.floor(MAX_CHUNK_LINES_BYTES / (answerBytes + 500))));
}

function inProgress(): JobError {
  return new JobError('idempotency_in_progress', 'another request with this Idempotency-Key is being received', {
    retryAfterSeconds: IN_PROGRESS_RETRY_SECONDS,
  });
}

function manifestObjectKey(id: string): string {
  return `${jobPrefix(id)}manifest`;
}
