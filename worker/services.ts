/** What the routes are given: the configuration and the services of one isolate. */
import type { StartDigest } from '../model-store/digest.ts';
import type { BlobCache } from '../model-store/load.ts';
import type { ObjectStore } from '../model-store/object-store.ts';
import type { Scope } from './auth/api-key.ts';
import { KeyStore } from './auth/key-store.ts';
import { CallerLimit } from './body/caller-limit.ts';
import type { BodyDeadlines } from './body/deadlines.ts';
import type { Config } from './config.ts';
import { readUrlPolicy } from './fetch/settings.ts';
import { HeadClassifier } from './heads/head-classifier.ts';
import { HeadLibrary } from './heads/head-library.ts';
import type { HeadObject } from './heads/head-object.ts';
import { HeadService } from './heads/head-service.ts';
import { readImageBuckets } from './images/image-buckets.ts';
import { ImageReader } from './images/image-reader.ts';
import type { ImageLimits } from './imaging/limits.ts';
import { Classifier } from './inference/classifier.ts';
import { MemoryBudget } from './inference/memory-budget.ts';
import { BASELINE_BYTES, modelRoomBytes } from './inference/memory-plan.ts';
import { ModelHost } from './inference/model-host.ts';
import { Readiness } from './inference/readiness.ts';
import { type HttpCache, ResultCache } from './inference/result-cache.ts';
import type { WasmModules } from './inference/runtime.ts';
import { BackendClient } from './jobs/backend-client.ts';
import type { BulkJob } from './jobs/bulk-job.ts';
import type { JobServices } from './jobs/consumer.ts';
import type { JobDirectory } from './jobs/job-directory.ts';
import { JobService } from './jobs/job-service.ts';
import { readJobSettings } from './jobs/job-settings.ts';
import { boardOf, type WorkBoard } from './jobs/work/work-board.ts';
import { WorkService } from './jobs/work/work-service.ts';
import { readWorkSettings, type WorkSettings } from './jobs/work/work-settings.ts';
import { bodyHeadroomBytes, imageRoom, likelyLoadRoom, unknownLoadRoom } from './memory-policy.ts';
import type { ModerationLedger } from './moderation/ledger/moderation-ledger.ts';
import { ModerationService } from './moderation/service.ts';
import { readModerationSettings } from './moderation/settings.ts';
import { Metrics } from './observability/metrics.ts';
import type { AnalyticsSink, RequestRecord } from './observability/request-record.ts';
import type { Traceparent } from './observability/trace.ts';
import { StatisticsLog } from './oip/triton.ts';
import type { ImageService } from './transcode/transcode.ts';

/** A lease older than this belongs to a request that is gone: longer than any load, body or decode takes. */
const MAX_LEASE_AGE_MS = 180_000;

/** Leases up to this pass larger ones that wait: most requests are small, and what they take is soon given back. */
const SMALL_LEASE_BYTES = 64 * 1024;

/** How long a look-up of an API key is believed: a revoked key works for at most that long. */
const KEY_MAX_AGE_MS = 30_000;

/** The services of one isolate, made once and shared by its requests. */
export interface Services {
  readonly config: Config;
  readonly budget: MemoryBudget;
  readonly host: ModelHost;
  /** Bodies that are being received, by caller. */
  readonly uploads: CallerLimit;
  readonly bodyDeadlines: BodyDeadlines;
  /** Of models and heads. */
  readonly classifier: Pick<Classifier, 'classify' | 'infer'>;
  readonly heads: HeadService;
  readonly readiness: Readiness;
  readonly models: ObjectStore;
  readonly keys: KeyStore;
  readonly metrics: Metrics;
  /** Triton's statistics of this isolate's models. */
  readonly statistics: StatisticsLog;
  /** Null where the deployment turned it off. */
  readonly resultCache: ResultCache | null;
  /** Workers Analytics Engine, where it is bound. */
  readonly analytics: AnalyticsSink | null;
  /** Of URLs and R2 objects that requests name. */
  readonly images: ImageReader;
  readonly moderation: ModerationService;
  readonly jobs: JobService;
  /** What GPU workers pull. */
  readonly work: WorkService;
  readonly workSettings: WorkSettings;
  /** API keys looked up on every call: a revoked one is refused at once. */
  readonly freshKeys: KeyStore;
  /** What the queue consumer of bulk jobs works with. */
  readonly jobServices: JobServices;
}

/** Hono's generic: what middleware has put on the context. */
export interface AppEnvironment {
  Bindings: Env;
  Variables: {
    services: Services;
    requestId: string;
    /** This request's span, in the caller's trace or in one of its own. */
    traceparent: Traceparent;
    record: RequestRecord;
    /** Id of the API key, once one is known: answers are cached apart by it. */
    tenant?: string;
    /** Scopes of the API key. */
    scopes?: readonly Scope[];
    /** A key or an address, where what it may do at a time is limited. */
    caller?: string;
  };
}

/** What the platform gives. */
export interface Platform {
  readonly models: ObjectStore;
  readonly wasmModules: WasmModules;
  /** Bytes by hash, near the isolate; null for none. */
  readonly blobs: BlobCache | null;
  /** SHA-256 of what streams by. */
  readonly startDigest: StartDigest;
  readonly jobsBucket: R2Bucket;
  readonly jobs: DurableObjectNamespace<BulkJob>;
  readonly jobDirectories: DurableObjectNamespace<JobDirectory>;
  readonly workBoard: DurableObjectNamespace<WorkBoard>;
  /** `caches.default`; null for none. */
  readonly cache: HttpCache | null;
  readonly analytics: AnalyticsSink | null;
  /** Cloudflare Images; null where it is not bound. */
  readonly images: ImageService | null;
  readonly ledgers: DurableObjectNamespace<ModerationLedger>;
  readonly heads: DurableObjectNamespace<HeadObject>;
  /** `heads/kernels/heads.wasm`. */
  readonly headKernels: WebAssembly.Module;
  /** Every binding and variable by name, for settings that name them. */
  readonly bindings: Readonly<Record<string, unknown>>;
}

function after(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}

/** Makes the services. */
export function createServices(config: Config, platform: Platform): Services {
  const metrics = new Metrics();
  const budget = new MemoryBudget({
    limitBytes: config.memoryBudgetBytes,
    baselineBytes: BASELINE_BYTES,
    maxLeases: config.maxLeases,
    smallBytes: SMALL_LEASE_BYTES,
    maxWaiting: config.maxWaiting,
    maxWaitMs: config.maxWaitMs,
    maxLeaseAgeMs: MAX_LEASE_AGE_MS,
    // Heads are kept in memory of their own, within a bound.
    heapBytes: () => host.committedHeapBytes + library.keptBytes,
    now: () => Date.now(),
    after,
  });
  const host = new ModelHost({
    store: platform.models,
    blobs: platform.blobs,
    budget,
    modelBytes: modelRoomBytes(config.memoryBudgetBytes),
    wasmModules: platform.wasmModules,
    engine: config.inferenceEngine,
    aliasMaxAgeMs: config.aliasMaxAgeMs,
    startDigest: platform.startDigest,
    now: () => Date.now(),
    onBackgroundError(error, model) {
      metrics.count('bit_edge_model_refresh_failures_total', 'Versions that could not be loaded.', { model });
      console.error(JSON.stringify({ level: 'error', event: 'model_refresh_failed', model, error: String(error) }));
    },
    onLoaded(model, report) {
      metrics.count('bit_edge_model_loads_total', 'Versions loaded.', { model });
      const { manifestMs, filesMs, sessionMs, engine, reason } = report;
      const times = { manifest_ms: manifestMs, files_ms: filesMs, session_ms: sessionMs };
      for (const [stage, ms] of Object.entries({ manifest: manifestMs, files: filesMs, session: sessionMs })) {
        metrics.observe('bit_edge_model_load_seconds', 'Time of loads by stage.', { stage }, ms / 1000);
      }
      console.log(
        JSON.stringify({
          level: 'info',
          event: 'model_loaded',
          model,
          engine,
          ...(reason === null ? {} : { reason }),
          heap_bytes: host.heapBytes,
          ...times,
        }),
      );
    },
  });
  const limits: ImageLimits = {
    maxBytes: config.maxBodyBytes,
    maxPixels: config.maxImagePixels,
    maxEdge: config.maxImageEdgePx,
    maxMemoryBytes: config.maxDecodeBytes,
  };
  const backbones = new Classifier({ host, budget, limits, images: platform.images, now: () => performance.now() });
  const library = new HeadLibrary({
    store: platform.models,
    maxAgeMs: config.aliasMaxAgeMs,
    modelNames: [config.defaultModel],
    now: () => Date.now(),
  });
  const classifier = new HeadClassifier(backbones, library);
  const readiness = new Readiness(host, { name: config.defaultModel, reference: config.defaultModelVersion });
  metrics.gauge('bit_edge_wasm_heap_bytes', 'Bytes of the WASM heap.', () => host.heapBytes);
  metrics.gauge('bit_edge_memory_used_bytes', 'Heap, baseline and leases.', () => budget.usedBytes);
  metrics.gauge('bit_edge_memory_limit_bytes', 'The memory budget.', () => config.memoryBudgetBytes);
  metrics.gauge('bit_edge_waiting_requests', 'Requests that wait for memory or their turn.', () => budget.waiting);
  metrics.gauge('bit_edge_models_loaded', 'Versions that can answer now.', () => host.loadedModels.length);
  const { cache, models, analytics } = platform;
  const ttl = config.resultCacheTtlSeconds;
  const resultCache = cache === null || ttl === 0 ? null : new ResultCache(cache, ttl);
  const images = createImageReader(config, platform, budget, host);
  const moderation = createModeration(config, platform, { classifier, library, images });
  const keys = new KeyStore(models, KEY_MAX_AGE_MS, () => Date.now());
  const heads = new HeadService({
    heads: platform.heads,
    library,
    store: models,
    host,
    classifier: backbones,
    images,
    maxImagesPerRequest: config.maxImagesPerRequest,
    debounceMs: config.headDebounceMs,
    kernels: platform.headKernels,
    acquire: (bytes, what) => budget.acquire(bytes, what),
  });
  return {
    config,
    budget,
    host,
    uploads: new CallerLimit(config.maxUploadsPerCaller),
    bodyDeadlines: { idleMs: config.bodyIdleMs, totalMs: config.bodyTotalMs, now: () => Date.now(), after },
    classifier,
    heads,
    readiness,
    models,
    keys,
    freshKeys: new KeyStore(models, 0, () => Date.now()),
    metrics,
    statistics: new StatisticsLog(),
    resultCache,
    analytics,
    images,
    moderation,
    ...createJobs(platform, { budget, heads, classifier, images, moderation, limits }),
  };
}

interface JobParts {
  readonly budget: MemoryBudget;
  readonly heads: HeadService;
  readonly classifier: Pick<Classifier, 'classify' | 'infer'>;
  readonly images: ImageReader;
  readonly moderation: ModerationService;
  readonly limits: ImageLimits;
}

function createJobs(
  platform: Platform,
  parts: JobParts,
): Pick<Services, 'jobs' | 'jobServices' | 'work' | 'workSettings'> {
  const { models, blobs, bindings } = platform;
  const { budget, heads, classifier, images, moderation, limits } = parts;
  const settings = readJobSettings(bindings);
  const now = (): number => Date.now();
  const backend =
    settings.backendUrl === null
      ? null
      : new BackendClient({
          url: settings.backendUrl,
          token: settings.backendToken,
          fetch: (url, init) => fetch(url, init),
          now,
          sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
          random: () => Math.random(),
        });
  return {
    jobs: new JobService({
      settings,
      bucket: platform.jobsBucket,
      jobs: platform.jobs,
      directories: platform.jobDirectories,
      heads,
      models,
      isAttended: async () => boardOf(platform.workBoard).isAttended(),
      startDigest: platform.startDigest,
      now,
    }),
    work: new WorkService({
      jobs: platform.jobs,
      boards: platform.workBoard,
      images,
      models,
      now,
    }),
    workSettings: readWorkSettings(bindings),
    jobServices: {
      settings,
      jobs: platform.jobs,
      classifier,
      moderation,
      library: heads.library,
      models,
      blobs,
      backend,
      limits,
      imageService: platform.images,
      images,
      acquire: (bytes) => budget.acquire(bytes, 'decoding the image'),
      now: () => performance.now(),
      random: () => Math.random(),
    },
  };
}

function createImageReader(config: Config, platform: Platform, budget: MemoryBudget, host: ModelHost): ImageReader {
  const { bindings } = platform;
  return new ImageReader({
    buckets: readImageBuckets(bindings),
    bindings,
    urlPolicy: readUrlPolicy(bindings),
    fetch: (url, init) => fetch(url, init),
    memory: {
      get maxBytes() {
        return imageRoom({ budget, config }, unknownLoadRoom({ budget, host, config }));
      },
      async acquire(bytes) {
        const loadRoom = await likelyLoadRoom({ budget, host, config });
        const lease = await budget.acquire(bytes, 'the image', () => bodyHeadroomBytes({ budget }, loadRoom));
        return () => lease.release();
      },
    },
  });
}

function createModeration(
  config: Config,
  platform: Platform,
  parts: Pick<Services, 'classifier' | 'images'> & { readonly library: HeadLibrary },
): ModerationService {
  const { classifier, library, images } = parts;
  const { models, ledgers, bindings } = platform;
  const urlPolicy = readUrlPolicy(bindings);
  return new ModerationService({
    settings: readModerationSettings(bindings, urlPolicy),
    urlPolicy,
    classifier,
    heads: library,
    images,
    models,
    ledgers,
    bindings,
    aliasMaxAgeMs: config.aliasMaxAgeMs,
    now: () => Date.now(),
  });
}
