/**
 * The queue consumer: works on one chunk a message. It keeps nothing: what is to be done comes from the job, what came of it goes
 * back in small reports, so that a consumer that dies loses no more than the last of them.
 */

import type { BlobCache } from '../../model-store/load.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { readManifest } from '../../model-store/versions.ts';
import { JobError, ModelError } from '../errors.ts';
import { MAX_REDIRECTS } from '../fetch/safe-fetch.ts';
import { HeadClassifier } from '../heads/head-classifier.ts';
import type { HeadLibrary } from '../heads/head-library.ts';
import type { ImageReader } from '../images/image-reader.ts';
import type { ImageLimits } from '../imaging/limits.ts';
import type { Classifier } from '../inference/classifier.ts';
import { isForGpuAlone } from '../inference/memory-plan.ts';
import { readModelDescription } from '../inference/model-description.ts';
import type { ModerationService } from '../moderation/service.ts';
import { traceIdOf } from '../observability/trace.ts';
import type { ImageService } from '../transcode/transcode.ts';
import { answerItem, type Engine } from './answer-item.ts';
import type { BackendClient } from './backend-client.ts';
import { DEFAULT_RETRY_POLICY, isBackendUnavailable } from './backend-retry.ts';
import type { BulkJob } from './bulk-job.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { IMAGE_CONNECTIONS } from './connections.ts';
import { GpuInferer } from './gpu-inferer.ts';
import type { JobSettings } from './job-settings.ts';
import {
  type ChunkLease,
  type ChunkMessage,
  chunkMessageSchema,
  type ItemOutcome,
  type JobSpecification,
} from './records.ts';

/** Items of a report. */
const REPORT_ITEMS = 32;

/** Images that WASM works on at a time: one runs while the next is fetched. */
const WASM_CONCURRENCY = 3;

/** Rows of a request where the backend does not say how many it takes. */
const DEFAULT_BATCH = 8;

/** Longest delay before a chunk is tried again, in seconds. */
export const MAX_RETRY_SECONDS = 300;

/** How long a GPU backend that is down is left alone where nobody else may answer, in seconds. */
const BACKEND_DOWN_SECONDS = 15;

/** Calls around the items of a chunk: its lease, the version's manifest and files, what the backend says of itself, policies. */
const SUBREQUESTS_AROUND = 50;

/**
 * Most subrequests that a chunk makes; `platform-limits.ts` has how many one invocation may. Every item may be a URL that redirects as
 * often as is followed, and a request of its own to the backend, tried as often as is allowed.
 */
export function maxSubrequests(items: number): number {
  const anItem = 1 + MAX_REDIRECTS + DEFAULT_RETRY_POLICY.attempts;
  return items * anItem + Math.ceil(items / REPORT_ITEMS) + SUBREQUESTS_AROUND;
}

/** What the consumer is given. */
export interface JobServices {
  readonly settings: JobSettings;
  readonly jobs: DurableObjectNamespace<BulkJob>;
  readonly classifier: Pick<Classifier, 'infer'>;
  readonly moderation: ModerationService;
  readonly library: HeadLibrary;
  readonly models: ObjectStore;
  readonly blobs: BlobCache | null;
  /** Null where no backend is configured. */
  readonly backend: BackendClient | null;
  readonly limits: ImageLimits;
  readonly imageService: ImageService | null;
  readonly images: ImageReader;
  acquire(bytes: number): Promise<{ release(): void }>;
  now(): number;
  /** In [0, 1). */
  random(): number;
}

/** Works through a batch of chunks, one after the other: there is one WASM heap. */
export async function consumeJobs(
  batch: MessageBatch,
  services: JobServices,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<void> {
  for (const message of batch.messages) {
    const parsed = chunkMessageSchema.safeParse(message.body);
    if (!parsed.success) {
      log('job_message_ignored', { id: message.id, reason: 'no chunk message' });
      message.ack();
      continue;
    }
    try {
      const left = await workOnChunk(parsed.data, services, waitUntil);
      if (left === 'nothing') message.ack();
      else message.retry({ delaySeconds: retryDelay(message.attempts, services) });
    } catch (error) {
      log('job_chunk_retried', { ...parsed.data, reason: String(error) });
      const down = isBackendUnavailable(error) ? BACKEND_DOWN_SECONDS * services.random() : 0;
      message.retry({ delaySeconds: Math.ceil(retryDelay(message.attempts, services) + down) });
    }
  }
}

/** Tells jobs which of their messages the queue has given up. A job that cannot be told is told again. */
export async function consumeDeadJobs(
  batch: { readonly messages: readonly Message[] },
  services: Pick<JobServices, 'jobs'>,
): Promise<void> {
  for (const message of batch.messages) {
    const parsed = chunkMessageSchema.safeParse(message.body);
    try {
      if (parsed.success) await jobOf(parsed.data, services).abandonDispatch(parsed.data.chunk);
      message.ack();
    } catch (error) {
      log('job_dead_letter_retried', { id: message.id, reason: String(error) });
      message.retry({ delaySeconds: 30 });
    }
  }
}

async function workOnChunk(
  message: ChunkMessage,
  services: JobServices,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<'nothing' | 'retries'> {
  const job = jobOf(message, services);
  const lease = await job.lease(message.chunk);
  if (lease === null) return 'nothing';
  const engine = await chooseEngine(lease, services, waitUntil);
  const reading = new ConcurrencyLimit(IMAGE_CONNECTIONS);
  const queue = [...lease.items];
  const { traceparent } = lease.specification;
  const trace = traceparent === undefined ? {} : { trace_id: traceIdOf(traceparent) };
  const { job: id, chunk } = message;
  let outcomes: ItemOutcome[] = [];
  let retries = 0;
  let wanted = true;
  const report = async (): Promise<void> => {
    const reported = outcomes;
    outcomes = [];
    if (reported.length > 0 && !(await job.report(message.chunk, reported))) wanted = false;
  };
  const work = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && wanted; item = queue.shift()) {
      const stops = (error: unknown): boolean => engine.name === 'gpu' && isBackendUnavailable(error);
      const outcome = await answerItem(item, lease.specification, engine, services, reading, stops);
      if (outcome.status === 'retry') retries++;
      outcomes.push(outcome);
      if (outcomes.length >= REPORT_ITEMS) await report();
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: engine.concurrency }, work));
  // What is answered is kept, whatever else went wrong.
  await report();
  const line = {
    event: 'job_chunk',
    job: id,
    chunk,
    engine: engine.name,
    items: lease.items.length,
    retries,
    ...trace,
  };
  console.log(JSON.stringify({ level: 'info', ...line }));
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
  return wanted && retries > 0 ? 'retries' : 'nothing';
}

/** Who answers this chunk. @throws JobError `backend_unavailable` if only a GPU may, and it is down. */
async function chooseEngine(
  { specification }: ChunkLease,
  services: JobServices,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<Engine> {
  const { settings, backend, classifier } = services;
  const { name, version } = specification.model;
  const reference = { name, reference: version, tenant: specification.head?.tenant };
  const wasm: Engine = {
    name: 'wasm',
    concurrency: WASM_CONCURRENCY,
    infer: (bytes, outputs, options) => classifier.infer(bytes, reference, outputs, options, waitUntil),
  };
  if (settings.engine === 'wasm') return wasm;
  try {
    if (backend === null) throw new JobError('backend_unavailable', 'no GPU backend is configured');
    const gpu = await makeGpu(specification, backend, services);
    return settings.engine === 'gpu' || (await needsGpu(specification, services)) ? gpu : withFallback(gpu, wasm);
  } catch (error) {
    if (settings.engine === 'gpu' || (await needsGpu(specification, services))) throw error;
    return wasm;
  }
}

/** True for a version that no isolate can run. What is not there any more is for WASM to refuse, item by item. */
async function needsGpu(specification: JobSpecification, { models }: Pick<JobServices, 'models'>): Promise<boolean> {
  try {
    const { name, version } = networkOf(specification);
    return isForGpuAlone(await readManifest(models, name, version));
  } catch (error) {
    if (error instanceof ModelError && error.code === 'model_not_found') return false;
    throw error;
  }
}

/** What a GPU runs: the model, or the backbone of a head. */
function networkOf({ model, head }: JobSpecification): { readonly name: string; readonly version: string } {
  return head?.backbone ?? model;
}

async function makeGpu(
  specification: JobSpecification,
  client: BackendClient,
  services: JobServices,
): Promise<Engine & { readonly name: 'gpu' }> {
  const network = networkOf(specification);
  const [description, { maxBatch }] = await Promise.all([
    readModelDescription(services.models, services.blobs, network.name, network.version),
    client.model(network.name, network.version),
  ]);
  const { limits, imageService, acquire, now } = services;
  const inferer = new GpuInferer({
    client,
    description,
    maxBatch: maxBatch ?? DEFAULT_BATCH,
    limits,
    images: imageService,
    traceparent: specification.traceparent,
    acquire,
    now,
  });
  const { model, head } = specification;
  if (head === undefined) {
    return {
      name: 'gpu',
      concurrency: inferer.concurrency,
      infer: (bytes, outputs, options) => inferer.infer(bytes, outputs, options),
    };
  }
  // Pooled features come back from the GPU; the head is applied here.
  const onBackbone = new HeadClassifier(
    { infer: (bytes, _reference, outputs, options) => inferer.infer(bytes, outputs, options) },
    services.library,
  );
  const reference = { name: model.name, reference: model.version, tenant: head.tenant };
  return {
    name: 'gpu',
    concurrency: inferer.concurrency,
    infer: (bytes, outputs, options) => onBackbone.infer(bytes, reference, outputs, options, () => {}),
  };
}

/** The GPU, and WASM for the images that it does not answer because it is down. */
function withFallback(gpu: Engine, wasm: Engine): Engine {
  return {
    name: 'gpu',
    concurrency: gpu.concurrency,
    async infer(bytes, outputs, options) {
      try {
        return await gpu.infer(bytes, outputs, options);
      } catch (error) {
        if (!isBackendUnavailable(error)) throw error;
        return { ...(await wasm.infer(bytes, outputs, options)), engine: 'wasm' };
      }
    },
  };
}

function jobOf({ job }: ChunkMessage, { jobs }: Pick<JobServices, 'jobs'>): DurableObjectStub<BulkJob> {
  return jobs.get(jobs.idFromName(job));
}

/** Doubles with every delivery, with jitter, up to five minutes. */
function retryDelay(attempts: number, { settings, random }: JobServices): number {
  const delay = Math.min(settings.retrySeconds * 2 ** (attempts - 1), MAX_RETRY_SECONDS);
  return Math.round(delay * (0.5 + random()));
}

function log(event: string, details: Readonly<Record<string, unknown>>): void {
  console.warn(JSON.stringify({ level: 'warn', event, ...details }));
}
