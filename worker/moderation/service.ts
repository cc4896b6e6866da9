/** The moderation services of one isolate: what its routes and queue consumers work with. */
import type { ObjectStore } from '../../model-store/object-store.ts';
import type { Bindings } from '../bindings.ts';
import type { UrlPolicy } from '../fetch/url-policy.ts';
import type { ImageReader } from '../images/image-reader.ts';
import type { Classifier } from '../inference/classifier.ts';
import { Judge } from './judge.ts';
import type { ModerationLedger } from './ledger/moderation-ledger.ts';
import { PolicyCache } from './policy/cache.ts';
import type { PolicyHeadSource } from './policy-heads.ts';
import type { ModerationSettings } from './settings.ts';

/** What the services are made of. */
export interface ModerationOptions {
  readonly settings: ModerationSettings;
  readonly urlPolicy: UrlPolicy;
  readonly classifier: Pick<Classifier, 'infer'>;
  readonly heads: PolicyHeadSource;
  readonly models: ObjectStore;
  readonly ledgers: DurableObjectNamespace<ModerationLedger>;
  readonly bindings: Bindings;
  readonly images: ImageReader;
  /** How long a policy's alias is believed, in ms. */
  readonly aliasMaxAgeMs: number;
  now(): number;
}

/** The moderation services of one isolate. */
export class ModerationService {
  readonly settings: ModerationSettings;
  readonly urlPolicy: UrlPolicy;
  readonly bindings: Bindings;
  readonly images: ImageReader;
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
    this.images = options.images;
    this.policies = new PolicyCache({ store: options.models, maxAgeMs: options.aliasMaxAgeMs, now });
    this.heads = options.heads;
    this.judge = new Judge({ classifier: options.classifier, policies: this.policies, heads: options.heads, now });
    this.now = now;
    this.#ledgers = options.ledgers;
  }

  /** The ledger of a source. */
  ledger(source: string): DurableObjectStub<ModerationLedger> {
    return this.#ledgers.get(this.#ledgers.idFromName(source));
  }
}
