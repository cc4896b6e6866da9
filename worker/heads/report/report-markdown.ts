/** A head's report as a page. Pure. */
import type { HeadReport, Share } from '../math/report.ts';

/** What the report is of. */
export interface ReportTitle {
  readonly name: string;
  readonly version: string;
  /** `name@version`. */
  readonly backbone: string;
}

/** Classes and confusions that are shown. */
const MAX_ROWS = 50;

/** The page; labels are the caller's text and are escaped. */
export function reportMarkdown({ name, version, backbone }: ReportTitle, report: HeadReport): string {
  const { validation, accuracy, regularization, calibration, unknown } = report;
  const how = validation.kind === 'leave_one_out' ? 'leaving one out' : `${validation.folds} folds`;
  const lines = [
    `# Head ${name}@${version}`,
    '',
    `${report.examples} examples of ${report.classes.length} classes, ${report.dimensions} dimensions of ${backbone};`,
    `${report.method} on ${report.features} features${regularization === null ? '' : `, ${regularization.name} ${number(regularization.value)}`}.`,
    '',
    accuracy === null
      ? 'No estimate: no class has two examples.'
      : `Accuracy by ${how}: **${share(accuracy)}**, ${accuracy.count} of ${accuracy.of}.`,
  ];
  if (calibration !== null) {
    lines.push(
      `Calibration error ${percent(calibration.ece)}, log loss ${number(calibration.log_loss)}, temperature ${number(calibration.temperature)}.`,
    );
  }
  if (unknown !== null) {
    lines.push(
      `Called unknown: ${percent(unknown.rate)} of ${unknown.examples} known examples, each left out; asked for at most ${percent(unknown.target_rate)}.`,
    );
  }
  lines.push('', '## Classes', '', ...table(['class', 'examples', 'precision', 'recall', 'F1'], classRows(report)));
  const points = report.learning_curve?.points ?? [];
  if (points.length > 0) {
    const rows = points.map((point) => [
      String(point.examples_per_class),
      percent(point.accuracy),
      `${point.tested} tests in ${point.draws} draws`,
    ]);
    lines.push('', '## Examples a class', '', ...table(['examples', 'accuracy', 'from'], rows));
  }
  const confused = (report.confusion ?? []).filter(({ label, predicted }) => label !== predicted);
  if (confused.length > 0) {
    const rows = confused
      .toSorted((a, b) => b.count - a.count)
      .slice(0, MAX_ROWS)
      .map(({ label, predicted, count }) => [escapeText(label), escapeText(predicted), String(count)]);
    lines.push('', '## Confused', '', ...table(['class', 'taken for', 'examples'], rows));
  }
  if (report.suspects.length > 0) {
    const rows = report.suspects.map(({ example, label, predicted, loss }) => [
      `\`${example}\``,
      escapeText(label),
      escapeText(predicted),
      number(loss),
    ]);
    lines.push('', '## Possibly mislabelled', '', ...table(['example', 'label', 'looks like', 'loss'], rows));
  }
  if (report.duplicates.length > 0) {
    const rows = report.duplicates.map(({ examples, labels, cosine }) => [
      `\`${examples[0]}\` ${escapeText(labels[0])}`,
      `\`${examples[1]}\` ${escapeText(labels[1])}`,
      number(cosine),
    ]);
    lines.push('', '## The same picture in two classes', '', ...table(['one', 'other', 'cosine'], rows));
  }
  return `${lines.join('\n')}\n`;
}

function classRows({ classes }: HeadReport): string[][] {
  const rows = classes
    .slice(0, MAX_ROWS)
    .map(({ label, examples, precision, recall, f1 }) => [
      escapeText(label),
      String(examples),
      percent(precision),
      percent(recall),
      percent(f1),
    ]);
  if (classes.length > MAX_ROWS) rows.push([`${classes.length - MAX_ROWS} more`, '', '', '', '']);
  return rows;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

function share({ value, low, high }: Share): string {
  return `${percent(value)} (95 %: ${percent(low)} to ${percent(high)})`;
}

function percent(value: number | null): string {
  return value === null ? '' : `${(100 * value).toFixed(1)} %`;
}

function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Text that means nothing to markdown or HTML. */
function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\\`*_[\]|#]/g, (character) => `\\${character}`);
}
