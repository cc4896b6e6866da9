/** The moderation services of one isolate: what its routes and queue consumers work with. */
import { discard } from '../../model-store/byte-source.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import type { Bindings } from '../bindings.ts';
import type { FetchFunction } from '../fetch/safe-fetch.ts';
import type { UrlPolicy } from '../fetch/url-policy.ts';
import { type ImageBuckets, readImage } from '../images/read-image.ts';
import type { Classifier } from '../inference/classifier.ts';
import { Judge } from './judge.ts';
import type { ModerationLedger } from './ledger/moderation-ledger.ts';
import type { ImageLocation } from './ledger/records.ts';
import { PolicyCache } from './policy/cache.ts';
import type { PolicyHeadSource } from './policy-heads.ts';
import type { ModerationSettings } from './settings.ts';

/** Memory for the images that are fetched. */
export interface ImageMemory {
  /** Bytes of the largest image that there is room for now. */
  readonly maxBytes: number;
  /** Takes memory, and gives the call that gives it back. @throws RuntimeError. */
  acquire(bytes: number): Promise<() => void>;
}

/** Lets so many images be read at a time. */
export interface ReadingLimit {
  run<T>(read: () => Promise<T>): Promise<T>;
}

const UNLIMITED: ReadingLimit = { run: (read) => read() };

/** What the services are made of. */
export interface ModerationOptions {
  readonly settings: ModerationSettings;
  readonly urlPolicy: UrlPolicy;
  readonly classifier: Pick<Classifier, 'infer'>;
  readonly heads: PolicyHeadSource;
  readonly models: ObjectStore;
  readonly ledgers: DurableObjectNamespace<ModerationLedger>;
  readonly bindings: Bindings;
  readonly fetch: FetchFunction;
  readonly memory: ImageMemory;
  /** How long a policy's alias is believed, in ms. */
  readonly aliasMaxAgeMs: number;
  now(): number;
}

/** The moderation services of one isolate. */
export class ModerationService {
  readonly settings: ModerationSettings;
  readonly urlPolicy: UrlPolicy;
  readonly bindings: Bindings;
  readonly images: ImageBuckets;
  readonly #fetch: FetchFunction;
  readonly #memory: ImageMemory;
  readonly policies: PolicyCache;
  readonly heads: PolicyHeadSource;
  readonly judge: Judge;
  readonly now: () => number;
  readonly #ledgers: DurableObjectNamespace<ModerationLedger>;

  constructor(options: ModerationOptions) {
    const { settings, urlPolicy, bindings, now } = options;
    this.settings = settings;
    this.urlPolicy = urlPolicy;
    this.bindings = bindings;
    this.images = { bindings, buckets: settings.buckets };
    this.#fetch = options.fetch;
    this.#memory = options.memory;
    this.policies = new PolicyCache({ store: options.models, maxAgeMs: options.aliasMaxAgeMs, now });
    this.heads = options.heads;
    this.judge = new Judge({ classifier: options.classifier, policies: this.policies, heads: options.heads, now });
    this.now = now;
    this.#ledgers = options.ledgers;
  }

  /**
   * Reads an image and hands its bytes over, in memory that was taken for it and is given back however that ends: they are gone
   * once `use` has settled.
   * @param reading holds the reading back, not what is done with the bytes.
   * @throws as `readImage` does; RuntimeError `overloaded`, `memory_budget_exceeded`; and as `use` does.
   */
  async withImage<T>(
    location: ImageLocation,
    use: (bytes: Uint8Array<ArrayBuffer>) => Promise<T>,
    reading: ReadingLimit = UNLIMITED,
  ): Promise<T> {
    const releases: (() => void)[] = [];
    let isOver = false;
    let bytes: Uint8Array<ArrayBuffer> | null = null;
    try {
      bytes = await reading.run(() =>
        readImage(location, {
          ...this.images,
          fetch: this.#fetch,
          urlPolicy: this.urlPolicy,
          maxBytes: this.#memory.maxBytes,
          reserve: async (most) => {
            const release = await this.#memory.acquire(most);
            // The fetch may have timed out while this waited.
            if (isOver) release();
            else releases.push(release);
          },
        }),
      );
      return await use(bytes);
    } finally {
      isOver = true;
      if (bytes !== null) discard(bytes.buffer);
      for (const release of releases) release();
    }
  }

  /** The ledger of a source. */
  ledger(source: string): DurableObjectStub<ModerationLedger> {
    return this.#ledgers.get(this.#ledgers.idFromName(source));
  }
}
