/** A head on pictures that it has not been taught: what its report should have foretold. */
import { applyHead, type HeadModel, headLabels } from '../../../worker/heads/math/head-model.ts';
import { type Share, wilson } from '../../../worker/heads/math/report.ts';
import { argmax } from '../../../worker/heads/math/targets.ts';
import type { LabelledSet } from './labelled-set.ts';

/** What came of it. */
export interface HeadEvaluation {
  readonly accuracy: Share;
  readonly wrong: readonly { readonly file: string; readonly label: string; readonly predicted: string }[];
}

/** Applies a head to a labelled set; a label that the head does not have is always wrong. */
export function evaluateHead(head: HeadModel, { set, files }: LabelledSet): HeadEvaluation {
  const labels = headLabels(head);
  const { rows, targets } = set;
  const wrong: { file: string; label: string; predicted: string }[] = [];
  for (let i = 0; i < rows.count; i++) {
    const embedding = rows.data.subarray(i * rows.dimensions, (i + 1) * rows.dimensions);
    const predicted = labels[argmax(applyHead(head, embedding), 0, labels.length)]!;
    const label = set.labels[argmax(targets.membership, i * targets.classes, targets.classes)]!;
    if (predicted !== label) wrong.push({ file: files[i]!, label, predicted });
  }
  return { accuracy: wilson(rows.count - wrong.length, rows.count), wrong };
}
