/** The heads of a policy: found, loaded, and all on the one version of the model that runs. */
import { type AppError, ModelError, ModerationError } from '../errors.ts';
import type { FoundHead, HeadLibrary } from '../heads/head-library.ts';
import { applyHead, type HeadModel, headLabels } from '../heads/math/head-model.ts';
import { activate } from '../inference/scores.ts';
import type { HeadVocabulary } from './policy/check-heads.ts';
import type { HeadLabels } from './policy/label-sources.ts';
import type { Policy, PolicyHead } from './policy/schema.ts';
import type { VersionReference } from './verdict-shapes.ts';

/** Where heads are looked up. */
export type PolicyHeadSource = Pick<HeadLibrary, 'find' | 'load'>;

/** Whose heads a policy means if it does not say. */
const NO_KEY = 'anonymous';

/** A head of a policy, in one version. */
export interface OpenHead extends HeadLabels, VersionReference {
  readonly model: HeadModel;
}

/** The heads of a policy, in its order, and what they are on. */
export interface OpenHeads {
  readonly heads: readonly OpenHead[];
  /** Null if the policy has no heads. */
  readonly backbone: VersionReference | null;
}

/**
 * Opens the heads of a policy.
 * @throws ModerationError `invalid_policy` if a head is gone, or two are of different versions of the backbone; ModelError.
 */
export async function openPolicyHeads(policy: Policy, source: PolicyHeadSource): Promise<OpenHeads> {
  const opened = await Promise.all(policy.heads.map((head) => openHead(policy, head, source)));
  const backbone = opened[0]?.backbone ?? null;
  for (const { backbone: other, name } of opened) {
    if (backbone === null || (other.name === policy.model.name && other.version === backbone.version)) continue;
    const needed = other.name === policy.model.name ? `${backbone.name}@${backbone.version}` : policy.model.name;
    throw doesNotFit(
      policy,
      `head ${name} is of ${other.name}@${other.version}, not of ${needed}: one pass must serve all`,
    );
  }
  return { heads: opened, backbone };
}

async function openHead(policy: Policy, head: PolicyHead, source: PolicyHeadSource) {
  const found = await findHead(head, source);
  if (found === null) throw doesNotFit(policy, absent(head));
  const model = await source.load(found);
  const { backbone, version } = found.version;
  return { name: head.name, version, model, labels: headLabels(model), backbone };
}

/** Null if there is no such head or version. @throws ModelError. */
async function findHead({ name, reference, key }: PolicyHead, source: PolicyHeadSource): Promise<FoundHead | null> {
  try {
    return await source.find({ name, reference, tenant: key ?? NO_KEY });
  } catch (error) {
    if (error instanceof ModelError && error.code === 'model_not_found') return null;
    throw error;
  }
}

function absent({ name, reference, key }: PolicyHead): string {
  return `key ${key ?? NO_KEY} has no head ${name}@${reference}`;
}

/** Scores of every head on pooled features, by each head's own function, one head after the other. */
export function scoresOfHeads(heads: readonly OpenHead[], pooled: Float32Array): number[] {
  return heads.flatMap(({ name, model }) => {
    if (pooled.length !== model.dimensions) {
      throw new ModelError(
        'model_failed',
        `the network gave ${pooled.length} features; head ${name} takes ${model.dimensions}`,
      );
    }
    return [...activate(applyHead(model, pooled), model.multiLabel ? 'sigmoid' : 'softmax')];
  });
}

/** What the heads of a policy know, for checking it before it is published. @param model the version that the policy's model means. */
export async function headVocabularies(
  heads: readonly PolicyHead[],
  model: VersionReference,
  source: PolicyHeadSource,
): Promise<Map<string, HeadVocabulary>> {
  const entries = heads.map(async (head): Promise<[string, HeadVocabulary]> => {
    const found = await findHead(head, source);
    if (found === null) return [head.name, { labels: null, problem: absent(head) }];
    const { backbone } = found.version;
    const labels = headLabels(await source.load(found));
    if (backbone.name === model.name && backbone.version === model.version)
      return [head.name, { labels, problem: null }];
    const problem = `is of ${backbone.name}@${backbone.version}; the policy's model is ${model.name}@${model.version}`;
    return [head.name, { labels, problem }];
  });
  return new Map(await Promise.all(entries));
}

/** The error of a policy that its model, or a head of it, does not serve. */
export function doesNotFit({ name, version }: Policy, message: string, cause?: AppError): ModerationError {
  return new ModerationError('invalid_policy', `policy ${name}@${version} does not fit its model: ${message}`, {
    details: { policy: name, version },
    ...(cause === undefined ? {} : { cause }),
  });
}
