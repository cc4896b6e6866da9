/**
 * Checks a policy before it is published: everything that is wrong at once, each with its place. Pure, no I/O.
 */
import { ModerationError } from '../../errors.ts';
import { checkHeadLabels, checkHeads, type HeadVocabulary } from './check-heads.ts';
import { checkLabels, type PolicyProblem, unknown } from './name-checks.ts';
import { type Policy, type PolicyCategory, policySchema } from './schema.ts';

/** What the policy's model knows, and its heads. */
export interface ModelVocabulary {
  readonly labels: readonly string[];
  /** By name; all of the policy's. */
  readonly heads?: ReadonlyMap<string, HeadVocabulary>;
  /** Length of `pooler_output`. */
  readonly embeddingLength: number;
}

/** Either a policy that can be published, or what is wrong with it. */
export type PolicyCheck =
  | { readonly policy: Policy; readonly problems: readonly [] }
  | { readonly policy: null; readonly problems: readonly PolicyProblem[] };

/**
 * Checks the shape alone, for policies that were checked against their model when they were published.
 * @throws ModerationError `invalid_policy` naming the first thing that is wrong.
 */
export function parsePolicy(value: unknown): Policy {
  const result = policySchema.safeParse(value);
  if (result.success) return result.data;
  const [first] = shapeProblems(result.error.issues);
  throw new ModerationError('invalid_policy', `policy: ${first!.path}: ${first!.message}`);
}

/** Checks the shape, and every name in it against the model's labels. */
export function checkPolicy(value: unknown, vocabulary: ModelVocabulary): PolicyCheck {
  const result = policySchema.safeParse(value);
  if (!result.success) return { policy: null, problems: shapeProblems(result.error.issues) };
  const policy = result.data;
  const problems = [
    ...checkActivation(policy, vocabulary.labels),
    ...checkGroups(policy, vocabulary.labels),
    ...checkHeads(policy, vocabulary.heads),
    ...policy.categories.flatMap((category, index) => checkCategory(category, index, policy, vocabulary)),
    ...checkAllowances(policy, vocabulary),
  ];
  return problems.length === 0 ? { policy, problems: [] } : { policy: null, problems };
}

/** Softmax over one label is 1 whatever the image: every threshold would be met. */
export function checkActivation({ activation }: Policy, labels: readonly string[]): PolicyProblem[] {
  if (activation !== 'softmax' || labels.length !== 1) return [];
  return [
    { path: 'activation', message: 'softmax over the only label is 1 for every image; use sigmoid, or leave it out' },
  ];
}

/** The error that a list of problems makes. */
export function invalidPolicy(name: string, problems: readonly PolicyProblem[]): ModerationError {
  const lines = problems.map(({ path, message }) => `${path}: ${message}`);
  return new ModerationError(
    'invalid_policy',
    `policy "${name}" has ${lines.length} problems:\n  ${lines.join('\n  ')}`,
    {
      details: { problems: lines },
    },
  );
}

interface ShapeIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function shapeProblems(issues: readonly ShapeIssue[]): PolicyProblem[] {
  return issues.map(({ path, message }) => ({ path: formatPath(path), message }));
}

function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    text += typeof part === 'number' ? `[${part}]` : `${text === '' ? '' : '.'}${String(part)}`;
  }
  return text === '' ? 'policy' : text;
}

function checkGroups(policy: Policy, labels: readonly string[]): PolicyProblem[] {
  const used = new Set([...policy.categories, ...policy.allow_list.allowances].flatMap((each) => each.groups ?? []));
  return Object.entries(policy.label_groups).flatMap(([name, members]) => {
    const path = `label_groups.${name}`;
    const problems = checkLabels(members, path, labels);
    if (!used.has(name)) problems.push({ path, message: 'no category and no allowance uses this group' });
    return problems;
  });
}

function checkCategory(
  category: PolicyCategory,
  index: number,
  policy: Policy,
  vocabulary: ModelVocabulary,
): PolicyProblem[] {
  const path = `categories[${index}]`;
  const { labels = [], groups = [], prototypes = [] } = category;
  const problems = [
    ...checkLabels(labels, `${path}.labels`, vocabulary.labels),
    ...checkGroupNames(groups, path, policy),
    ...checkHeadLabels(category, path, policy, vocabulary.heads),
  ];
  if (policy.categories.findIndex((each) => each.name === category.name) !== index) {
    problems.push({ path: `${path}.name`, message: `there is a category "${category.name}" already` });
  }
  if (labels.length + groups.length + prototypes.length === 0 && category.head_labels === undefined) {
    problems.push({ path, message: `nothing feeds category "${category.name}": no labels, groups or prototypes` });
  }
  const seen = new Set(labels);
  for (const group of groups) {
    for (const member of policy.label_groups[group] ?? []) {
      if (seen.has(member)) problems.push({ path, message: `label "${member}" feeds this category twice` });
      seen.add(member);
    }
  }
  if (category.thresholds === undefined && policy.defaults.thresholds === undefined) {
    problems.push({ path, message: `category "${category.name}" has no thresholds, and defaults has none either` });
  }
  for (const [number, prototype] of prototypes.entries()) {
    const length = (atob(prototype.vector).length / 4) | 0;
    if (length * 4 !== atob(prototype.vector).length || length !== vocabulary.embeddingLength) {
      const message = `vector has ${atob(prototype.vector).length} bytes; the model's embedding has ${vocabulary.embeddingLength} float32 = ${vocabulary.embeddingLength * 4} bytes`;
      problems.push({ path: `${path}.prototypes[${number}]`, message });
    }
  }
  return problems;
}

function checkAllowances(policy: Policy, vocabulary: ModelVocabulary): PolicyProblem[] {
  const names = policy.categories.map((category) => category.name);
  return policy.allow_list.allowances.flatMap((allowance, index) => {
    const path = `allow_list.allowances[${index}]`;
    const problems = [
      ...checkLabels(allowance.labels ?? [], `${path}.labels`, vocabulary.labels),
      ...checkGroupNames(allowance.groups ?? [], path, policy),
      ...checkHeadLabels(allowance, path, policy, vocabulary.heads),
    ];
    const { labels = [], groups = [], head_labels: ofHeads } = allowance;
    if (labels.length + groups.length === 0 && ofHeads === undefined) {
      problems.push({ path, message: 'names no labels and no groups' });
    }
    for (const [number, category] of (allowance.categories ?? []).entries()) {
      if (!names.includes(category)) {
        problems.push({ path: `${path}.categories[${number}]`, message: unknown('category', category, names) });
      }
    }
    return problems;
  });
}

function checkGroupNames(groups: readonly string[], path: string, policy: Policy): PolicyProblem[] {
  const known = Object.keys(policy.label_groups);
  return groups.flatMap((group, index) =>
    known.includes(group) ? [] : [{ path: `${path}.groups[${index}]`, message: unknown('group', group, known) }],
  );
}
