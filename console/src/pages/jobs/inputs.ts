/** What a person types or picks as a job's inputs. Pure. */
import type { NewJob } from '../../../../client/index.ts';

/** Lines as inputs: a URL, a key, or an object as `POST /v1/jobs` takes it; empty lines are passed over. */
export function parseInputs(text: string): NonNullable<NewJob['inputs']> {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line): unknown => {
      if (line.startsWith('{')) {
        try {
          return JSON.parse(line);
        } catch {
          // The deployment says of the item what is wrong with it.
          return line;
        }
      }
      return /^[a-z][a-z0-9+.-]*:\/\//i.test(line) ? { url: line } : { r2: line };
    });
}

/** Failures of one code. */
export interface FailureGroup {
  readonly code: string;
  readonly count: number;
  /** Of the first few. */
  readonly examples: readonly { readonly index: number; readonly message: string }[];
}

const MAX_EXAMPLES = 3;

/** One line of a job's results. */
export interface ResultLine {
  readonly index: number;
  readonly id?: string;
  readonly status: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly predictions?: readonly { readonly label: string; readonly score: number }[];
  readonly decision?: { readonly verdict: string };
  readonly dimensions?: number;
}

/** The failed lines by code, the most frequent first. */
export function groupFailures(lines: readonly ResultLine[]): readonly FailureGroup[] {
  const groups = new Map<string, { count: number; examples: { index: number; message: string }[] }>();
  for (const { index, error } of lines) {
    if (error === undefined) continue;
    const group = groups.get(error.code) ?? { count: 0, examples: [] };
    group.count++;
    if (group.examples.length < MAX_EXAMPLES) group.examples.push({ index, message: error.message });
    groups.set(error.code, group);
  }
  return [...groups].map(([code, group]) => ({ code, ...group })).sort((a, b) => b.count - a.count);
}
