/** What is wrong with a value, in the words of this API: zod says "Invalid input" even if it knows more. Pure. */
import type * as z from 'zod';

type Issue = z.core.$ZodIssue;

/** Nouns of JSON, by the names that zod has for them. */
const NOUNS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

/** Whether a message is the schema's own, not zod's. */
function isOwnText(message: string): boolean {
  return !/^(Invalid|Too (small|big)|Unrecognized)/.test(message);
}

/** A clause without its subject: `must be a string or a list`, `must have at least 1 elements`. */
export function describeIssue(issue: Issue): string {
  if (isOwnText(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${nounOf(issue.expected)}`;
    case 'invalid_value':
      return `must be ${issue.values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join(', ')}`;
    case 'invalid_union': {
      const firsts = issue.errors.map((issues) => issues[0]).filter((first) => first !== undefined);
      // The alternative whose type the value has is the one that was meant.
      const meant = firsts.filter((first) => first.path.length > 0 || first.code !== 'invalid_type');
      if (meant.length > 0) return describeIssue(meant[0]!);
      const nouns = firsts.flatMap((first) => (first.code === 'invalid_type' ? [nounOf(first.expected)] : []));
      return nouns.length === 0 ? 'has no form that is taken here' : `must be ${[...new Set(nouns)].join(' or ')}`;
    }
    case 'too_small':
      return `must ${sizeVerb(issue.origin)} at least ${issue.minimum}${sizeUnit(issue.origin)}`;
    case 'too_big':
      return `must ${sizeVerb(issue.origin)} at most ${issue.maximum}${sizeUnit(issue.origin)}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    default:
      return 'has no form that is taken here';
  }
}

function nounOf(expected: string): string {
  return NOUNS[expected] ?? expected;
}

function isCounted(origin: string): boolean {
  return origin === 'string' || origin === 'array' || origin === 'set' || origin === 'map';
}

function sizeVerb(origin: string): string {
  return isCounted(origin) ? 'have' : 'be';
}

function sizeUnit(origin: string): string {
  if (!isCounted(origin)) return '';
  return origin === 'string' ? ' characters' : ' elements';
}
