/** What the routes are given: the configuration and the services of one isolate. */

import type { ObjectStore } from '../model-store/object-store.ts';
import type { Config } from './config.ts';
import { Classifier } from './inference/classifier.ts';
import { ModelHost } from './inference/model-host.ts';
import { Readiness } from './inference/readiness.ts';

/** The services of one isolate, made once and shared by its requests. */
export interface Services {
  readonly config: Config;
  readonly host: ModelHost;
  readonly classifier: Classifier;
  readonly readiness: Readiness;
  readonly models: ObjectStore;
}

/** Hono's generic: what middleware has put on the context. */
export interface AppEnvironment {
  Bindings: Env;
  Variables: { services: Services; requestId: string };
}

/** Makes the services. */
export function createServices(config: Config, models: ObjectStore, wasmModule: WebAssembly.Module): Services {
  const host = new ModelHost({
    store: models,
    wasmModule,
    aliasMaxAgeMs: config.aliasMaxAgeMs,
    now: () => Date.now(),
    onBackgroundError(error, model) {
      console.error(JSON.stringify({ level: 'error', event: 'model_refresh_failed', model, error: String(error) }));
    },
  });
  const classifier = new Classifier({
    host,
    limits: {
      maxBytes: config.maxBodyBytes,
      maxPixels: config.maxImagePixels,
      maxEdge: config.maxImageEdgePx,
      maxMemoryBytes: config.maxDecodeBytes,
    },
    now: () => performance.now(),
  });
  const readiness = new Readiness(host, { name: config.defaultModel, reference: config.defaultModelVersion });
  return { config, host, classifier, readiness, models };
}
