/** Names of a policy against those that are known. Pure. */
import { nearestNames } from './edit-distance.ts';

/** One thing that is wrong. */
export interface PolicyProblem {
  /** Where, in JSON path terms: `categories[1].labels[0]`. */
  readonly path: string;
  readonly message: string;
}

/** Labels that are unknown, or given twice. */
export function checkLabels(labels: readonly string[], path: string, known: readonly string[]): PolicyProblem[] {
  return labels.flatMap((label, index) => {
    if (!known.includes(label)) return [{ path: `${path}[${index}]`, message: unknown('label', label, known) }];
    if (labels.indexOf(label) !== index)
      return [{ path: `${path}[${index}]`, message: `label "${label}" stands twice` }];
    return [];
  });
}

/** That a name is not known, with the nearest that are. */
export function unknown(kind: string, name: string, known: readonly string[]): string {
  const near = nearestNames(name, known).map((each) => `"${each}"`);
  return `unknown ${kind} "${name}"${near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`}`;
}
