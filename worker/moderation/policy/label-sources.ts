/** Which scores the labels of a policy mean: of its model, then of each of its heads. Pure. */
import { ModerationError } from '../../errors.ts';
import type { Policy, PolicyCategory } from './schema.ts';

/** The labels of a head. */
export interface HeadLabels {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Where a score comes from. */
export interface LabelSource {
  readonly label: string;
  /** The head whose label it is; absent for the model's own. */
  readonly head?: string;
}

/** What a category or an allowance names. */
type NamedLabels = Pick<PolicyCategory, 'labels' | 'head_labels' | 'groups'>;

/** Every source, in the order of the scores. */
export function labelSources(labels: readonly string[], heads: readonly HeadLabels[]): LabelSource[] {
  return [
    ...labels.map((label) => ({ label })),
    ...heads.flatMap(({ name, labels: own }) => own.map((label) => ({ label, head: name }))),
  ];
}

/** The labels that a policy names of each of its heads: the head must have them. */
export function namedHeadLabels({ heads, categories, allow_list: { allowances } }: Policy): HeadLabels[] {
  return heads.map(({ name }) => {
    const named = [...categories, ...allowances].flatMap((each) => each.head_labels?.[name] ?? []);
    return { name, labels: [...new Set(named)] };
  });
}

/**
 * What finds the indexes of all that a category or an allowance names.
 * @throws ModerationError `invalid_policy` when called, if a version lacks a label.
 */
export function labelResolver(policy: Policy, sources: readonly LabelSource[]): (named: NamedLabels) => number[] {
  const keyOf = ({ label, head }: LabelSource): string => JSON.stringify([head ?? null, label]);
  const indexes = new Map(sources.map((source, index) => [keyOf(source), index]));
  return ({ labels = [], groups = [], head_labels: ofHeads = {} }) =>
    [
      ...labels.map((label): LabelSource => ({ label })),
      ...groups.flatMap((group) => (policy.label_groups[group] ?? []).map((label): LabelSource => ({ label }))),
      ...Object.entries(ofHeads).flatMap(([head, own]) => own.map((label): LabelSource => ({ label, head }))),
    ].map((source) => {
      const index = indexes.get(keyOf(source));
      if (index !== undefined) return index;
      const { label, head } = source;
      throw new ModerationError(
        'invalid_policy',
        `policy ${policy.name}@${policy.version} names label "${label}", which the ${head === undefined ? 'model' : `version of head ${head}`} in use does not have`,
        { details: { policy: policy.name, version: policy.version, label } },
      );
    });
}
