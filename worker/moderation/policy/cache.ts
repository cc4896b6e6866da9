/** Policies of one isolate: read once, believed for a while, bound to the labels of the model that answers. */
import type { ObjectStore } from '../../../model-store/object-store.ts';
import { ModerationError } from '../../errors.ts';
import defaultPolicy from '../policies/default.json' with { type: 'json' };
import { type CompiledPolicy, compilePolicy } from './evaluate.ts';
import type { HeadLabels } from './label-sources.ts';
import { DEFAULT_POLICY_ALIAS, type PolicyReference } from './layout.ts';
import type { Policy } from './schema.ts';
import { readPolicy } from './store.ts';
import { parsePolicy } from './validate.ts';

/** Most policies and most bindings that are kept. */
const MAX_ENTRIES = 64;

/** What the cache needs from outside. */
export interface PolicyCacheOptions {
  readonly store: ObjectStore;
  /** How long a look-up is believed, in ms. */
  readonly maxAgeMs: number;
  now(): number;
}

/** Policies by reference. Where the bucket has no policy `default`, the one that ships is used. */
export class PolicyCache {
  readonly #options: PolicyCacheOptions;
  readonly #policies = new Map<string, { readonly policy: Promise<Policy>; readonly readMs: number }>();
  readonly #compiled = new Map<string, CompiledPolicy>();

  constructor(options: PolicyCacheOptions) {
    this.#options = options;
  }

  /**
   * The policy that a reference means.
   * @throws ModerationError `policy_not_found`, `invalid_policy`.
   */
  get(reference: PolicyReference): Promise<Policy> {
    const key = `${reference.name}@${reference.reference}`;
    const nowMs = this.#options.now();
    const known = this.#policies.get(key);
    if (known !== undefined && nowMs - known.readMs < this.#options.maxAgeMs) return known.policy;
    const policy = this.#read(reference);
    trim(this.#policies);
    this.#policies.set(key, { policy, readMs: nowMs });
    policy.catch(() => {
      if (this.#policies.get(key)?.policy === policy) this.#policies.delete(key);
    });
    return policy;
  }

  async #read(reference: PolicyReference): Promise<Policy> {
    try {
      return await readPolicy(this.#options.store, reference);
    } catch (error) {
      const shipped =
        reference.name === defaultPolicy.name &&
        (reference.reference === DEFAULT_POLICY_ALIAS || reference.reference === defaultPolicy.version);
      if (shipped && error instanceof ModerationError && error.code === 'policy_not_found') {
        return parsePolicy(defaultPolicy);
      }
      throw error;
    }
  }

  /**
   * A policy bound to the labels of a model version, and of versions of its heads.
   * @param modelId Name and version of the model and of every head.
   * @throws ModerationError `invalid_policy` if a version lacks a label.
   */
  compile(
    policy: Policy,
    modelId: string,
    labels: readonly string[],
    heads: readonly HeadLabels[] = [],
  ): CompiledPolicy {
    const key = `${policy.name}@${policy.version}/${modelId}`;
    const known = this.#compiled.get(key);
    // A version never changes in the bucket, but a deleted one can be published anew under its name.
    if (known !== undefined && known.policy === policy) return known;
    const compiled = compilePolicy(policy, labels, heads);
    trim(this.#compiled);
    this.#compiled.set(key, compiled);
    return compiled;
  }
}

/** Makes room for one more entry; the oldest goes. */
function trim(map: Map<string, unknown>): void {
  const oldest = map.keys().next();
  if (map.size >= MAX_ENTRIES && !oldest.done) map.delete(oldest.value);
}
