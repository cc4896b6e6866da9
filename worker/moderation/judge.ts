/**
 * Image bytes -> decision: run the policy's model once, apply the policy's heads to its features, evaluate the policy, keep nothing
 * of the image but its hash.
 */
import { manifestFunction } from '../../model-store/manifest.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { AppError, ModelError } from '../errors.ts';
import type { Classifier, ModelReference } from '../inference/classifier.ts';
import { activate } from '../inference/scores.ts';
import type { PolicyCache } from './policy/cache.ts';
import { parsePolicyReference } from './policy/layout.ts';
import type { Policy } from './policy/schema.ts';
import { checkActivation, invalidPolicy } from './policy/validate.ts';
import { doesNotFit, type OpenHeads, openPolicyHeads, type PolicyHeadSource, scoresOfHeads } from './policy-heads.ts';
import type { Decision } from './verdict-shapes.ts';

/** Keeps a promise running after the response. */
type WaitUntil = (promise: Promise<unknown>) => void;

/** What a judge needs from outside. */
export interface JudgeOptions {
  readonly classifier: Pick<Classifier, 'infer'>;
  readonly policies: PolicyCache;
  readonly heads: PolicyHeadSource;
  now(): number;
}

/** Takes decisions. */
export class Judge {
  readonly #options: JudgeOptions;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /**
   * Judges an image.
   * @param policyReference `name` or `name@version`.
   * @throws ImageError, ModelError, RuntimeError, ModerationError.
   */
  async judge(
    bytes: Uint8Array<ArrayBuffer>,
    policyReference: string,
    decisionId: string,
    waitUntil: WaitUntil,
  ): Promise<Decision> {
    const { classifier, policies, now } = this.#options;
    const policy = await policies.get(parsePolicyReference(policyReference));
    const opened = await openPolicyHeads(policy, this.#options.heads);
    const { heads, backbone } = opened;
    const needsEmbedding = heads.length > 0 || policy.categories.some(({ prototypes }) => prototypes !== undefined);
    const outputs = needsEmbedding ? ['logits', 'pooler_output'] : ['logits'];
    const network = networkOf(policy, opened);
    const answer = await classifier.infer(bytes, network, outputs, {}, waitUntil).catch((error: unknown) => {
      throw isUnsupportedOutput(error) ? doesNotFit(policy, error.message, error) : error;
    });
    const { name, version } = answer.model.manifest;
    // A job runs what it was accepted with; features of another version say nothing to these heads.
    if (backbone !== null && (name !== backbone.name || version !== backbone.version)) {
      const needed = `${backbone.name}@${backbone.version}`;
      throw doesNotFit(policy, `its heads need ${needed}, and ${name}@${version} answered`);
    }
    const sha256 = await sha256Hex(bytes);
    const versions = [answer.model.manifest, ...heads].map((each) => `${each.name}@${each.version}`);
    const compiled = policies.compile(policy, versions.join('+'), answer.model.labels, heads);
    // A policy that was published before its model had one label, or by hand.
    const problems = checkActivation(policy, answer.model.labels);
    if (problems.length > 0) throw invalidPolicy(policy.name, problems);
    const activation = policy.activation ?? manifestFunction(answer.model.manifest);
    const embedding = needsEmbedding ? float32(answer.outputs.get('pooler_output')) : null;
    const scores = activate(float32(answer.outputs.get('logits')), activation);
    const evaluation = compiled.evaluate({
      scores: embedding === null ? scores : [...scores, ...scoresOfHeads(heads, embedding)],
      embedding,
      sha256,
    });
    return {
      id: decisionId,
      decided_at: new Date(now()).toISOString(),
      ...evaluation,
      policy: { name: policy.name, version: policy.version },
      model: { name, version },
      ...(heads.length === 0 ? {} : { heads: heads.map((head) => ({ name: head.name, version: head.version })) }),
      image_sha256: sha256,
    };
  }

  /**
   * The version of the model that a policy is judged with.
   * @throws ModerationError `policy_not_found`, `invalid_policy`; ModelError.
   */
  async networkOf(policyReference: string): Promise<ModelReference> {
    const policy = await this.#options.policies.get(parsePolicyReference(policyReference));
    return networkOf(policy, await openPolicyHeads(policy, this.#options.heads));
  }

  /**
   * The decision on an image that cannot be judged: the policy's `on_error`, or `review` where there is no policy.
   * @param error what the image or the request is to blame for, never the model or the service.
   */
  async giveUp(
    error: AppError,
    policyReference: string,
    decisionId: string,
    imageSha256: string | null,
  ): Promise<Decision> {
    const { policies, now } = this.#options;
    const policy = await Promise.resolve()
      .then(() => policies.get(parsePolicyReference(policyReference)))
      .catch(() => null);
    const [name = policyReference, version = 'unknown'] = policyReference.split('@');
    return {
      id: decisionId,
      decided_at: new Date(now()).toISOString(),
      verdict: policy?.on_error ?? 'review',
      reason: 'error',
      categories: [],
      policy: policy === null ? { name, version } : { name: policy.name, version: policy.version },
      model: null,
      image_sha256: imageSha256,
      error: { code: error.code, message: error.message.slice(0, 500) },
    };
  }
}

function isUnsupportedOutput(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'unsupported_output';
}

/** What a policy's heads are on, or the model as the policy has it. */
function networkOf({ model }: Policy, { backbone }: OpenHeads): ModelReference {
  return backbone === null ? model : { name: backbone.name, reference: backbone.version };
}

function float32(tensor: { readonly type: string; readonly data: unknown } | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new ModelError('model_failed', `the graph gave ${tensor?.type ?? 'nothing'} where float32 was expected`);
}
