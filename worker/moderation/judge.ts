/** Image bytes -> decision: run the policy's model, evaluate the policy, keep nothing of the image but its hash. */
import { manifestFunction } from '../../model-store/manifest.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { AppError, ModelError, ModerationError } from '../errors.ts';
import type { Classifier } from '../inference/classifier.ts';
import { activate } from '../inference/scores.ts';
import type { PolicyCache } from './policy/cache.ts';
import { parsePolicyReference } from './policy/layout.ts';
import type { Policy } from './policy/schema.ts';
import { checkActivation, invalidPolicy } from './policy/validate.ts';
import type { Decision } from './verdict-shapes.ts';

/** Keeps a promise running after the response. */
type WaitUntil = (promise: Promise<unknown>) => void;

/** What a judge needs from outside. */
export interface JudgeOptions {
  readonly classifier: Pick<Classifier, 'infer'>;
  readonly policies: PolicyCache;
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
    const needsEmbedding = policy.categories.some(({ prototypes }) => prototypes !== undefined);
    const outputs = needsEmbedding ? ['logits', 'pooler_output'] : ['logits'];
    const answer = await classifier.infer(bytes, policy.model, outputs, {}, waitUntil).catch((error: unknown) => {
      throw isUnsupportedOutput(error) ? doesNotFit(policy, error) : error;
    });
    const { name, version } = answer.model.manifest;
    const sha256 = await sha256Hex(bytes);
    const compiled = policies.compile(policy, `${name}@${version}`, answer.model.labels);
    // A policy that was published before its model had one label, or by hand.
    const problems = checkActivation(policy, answer.model.labels);
    if (problems.length > 0) throw invalidPolicy(policy.name, problems);
    const activation = policy.activation ?? manifestFunction(answer.model.manifest);
    const evaluation = compiled.evaluate({
      scores: activate(float32(answer.outputs.get('logits')), activation),
      embedding: needsEmbedding ? float32(answer.outputs.get('pooler_output')) : null,
      sha256,
    });
    return {
      id: decisionId,
      decided_at: new Date(now()).toISOString(),
      ...evaluation,
      policy: { name: policy.name, version: policy.version },
      model: { name, version },
      image_sha256: sha256,
    };
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

/** The request names a policy, not outputs: that its model lacks one is the policy's fault. */
function doesNotFit({ name, version }: Policy, cause: AppError): ModerationError {
  return new ModerationError('invalid_policy', `policy ${name}@${version} does not fit its model: ${cause.message}`, {
    details: { policy: name, version },
    cause,
  });
}

function float32(tensor: { readonly type: string; readonly data: unknown } | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new ModelError('model_failed', `the graph gave ${tensor?.type ?? 'nothing'} where float32 was expected`);
}
