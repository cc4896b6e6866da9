/** What a policy says of heads, against what they know. Pure. */
import { checkLabels, type PolicyProblem, unknown } from './name-checks.ts';
import type { Policy, PolicyCategory } from './schema.ts';

/** What a head of the policy knows. */
export interface HeadVocabulary {
  /** Null if there is no such head. */
  readonly labels: readonly string[] | null;
  /** Why the policy cannot use it; null if it can. */
  readonly problem: string | null;
}

/** The heads of a policy, by name; undefined if none are known. */
type HeadVocabularies = ReadonlyMap<string, HeadVocabulary> | undefined;

/** The heads that a policy says it uses. */
export function checkHeads(
  { heads, categories, allow_list: { allowances } }: Policy,
  known: HeadVocabularies,
): PolicyProblem[] {
  const used = new Set([...categories, ...allowances].flatMap((each) => Object.keys(each.head_labels ?? {})));
  return heads.flatMap(({ name }, index) => {
    const path = `heads[${index}]`;
    const problem = known?.get(name)?.problem ?? null;
    return [
      ...(problem === null ? [] : [{ path, message: problem }]),
      ...(used.has(name) ? [] : [{ path, message: `no category and no allowance uses head "${name}"` }]),
      ...(heads.findIndex((each) => each.name === name) === index
        ? []
        : [{ path, message: `there is a head "${name}" already` }]),
    ];
  });
}

/** Labels of heads that a category or an allowance names. */
export function checkHeadLabels(
  { head_labels: named = {} }: Pick<PolicyCategory, 'head_labels'>,
  path: string,
  { heads }: Policy,
  known: HeadVocabularies,
): PolicyProblem[] {
  const names = heads.map(({ name }) => name);
  return Object.entries(named).flatMap(([head, labels]) => {
    const where = `${path}.head_labels.${head}`;
    if (!names.includes(head)) return [{ path: where, message: unknown('head', head, names) }];
    // A missing head is reported once, by `checkHeads`.
    const own = known?.get(head)?.labels ?? null;
    return own === null ? [] : checkLabels(labels, where, own);
  });
}
