/** A head's report as a picture: recall by class, and the learning curve. Pure. */
import type { HeadReport } from '../math/report.ts';
import type { ReportTitle } from './report-markdown.ts';

const WIDTH = 760;
const ROW = 20;
const LABEL_WIDTH = 190;
const MAX_CLASSES = 40;
const MAX_LABEL = 28;
const TOP = 64;
const CURVE_HEIGHT = 150;

const STYLE =
  '<style>text{font:12px system-ui,sans-serif;fill:#222}.t{font-size:16px;font-weight:600}.q{fill:#666}' +
  '.b{fill:#2f6fde}.g{fill:#e6e9ef}.l{fill:none;stroke:#2f6fde;stroke-width:2}.a{stroke:#ccc}</style>';

/** The picture; labels are the caller's text and are escaped. */
export function reportSvg({ name, version, backbone }: ReportTitle, report: HeadReport): string {
  const classes = report.classes.slice(0, MAX_CLASSES);
  const points = report.learning_curve?.points ?? [];
  const barsEnd = TOP + 24 + classes.length * ROW;
  const height = barsEnd + (points.length > 1 ? CURVE_HEIGHT + 70 : 20);
  const { accuracy } = report;
  const summary =
    accuracy === null
      ? 'no estimate: no class has two examples'
      : `accuracy ${percent(accuracy.value)} (95 %: ${percent(accuracy.low)} to ${percent(accuracy.high)})`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    STYLE,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(16, 28, `${name}@${version}`, 't'),
    text(16, 48, `${report.examples} examples, ${report.classes.length} classes, ${backbone}: ${summary}`, 'q'),
    text(16, TOP + 16, 'recall by class', 'q'),
  ];
  const full = WIDTH - LABEL_WIDTH - 130;
  for (const [index, { label, recall, examples }] of classes.entries()) {
    const y = TOP + 24 + index * ROW;
    parts.push(
      text(16, y + 14, label.length > MAX_LABEL ? `${label.slice(0, MAX_LABEL - 1)}…` : label),
      `<rect class="g" x="${LABEL_WIDTH}" y="${y + 3}" width="${full}" height="${ROW - 7}" rx="2"/>`,
      `<rect class="b" x="${LABEL_WIDTH}" y="${y + 3}" width="${Math.round(full * (recall ?? 0))}" height="${ROW - 7}" rx="2"/>`,
      text(LABEL_WIDTH + full + 8, y + 14, `${recall === null ? 'none' : percent(recall)} of ${examples}`, 'q'),
    );
  }
  if (points.length > 1) parts.push(...curve(points, barsEnd + 30));
  return `${parts.join('')}</svg>\n`;
}

function curve(points: NonNullable<HeadReport['learning_curve']>['points'], top: number): string[] {
  const right = WIDTH - 40;
  const left = 60;
  const last = points.at(-1)!.examples_per_class;
  // Logarithmic: 1, 2, 5, 10 are equally far apart, or nearly.
  const x = (examples: number): number => left + ((right - left) * Math.log(examples)) / Math.log(Math.max(2, last));
  const y = (accuracy: number): number => top + 16 + CURVE_HEIGHT * (1 - accuracy);
  const path = points.map(({ examples_per_class: n, accuracy }) => `${x(n).toFixed(1)},${y(accuracy).toFixed(1)}`);
  const parts = [text(16, top, 'accuracy by examples a class, on examples that were not drawn', 'q')];
  for (const level of [0, 0.5, 1]) {
    parts.push(`<line class="a" x1="${left}" y1="${y(level)}" x2="${right}" y2="${y(level)}"/>`);
    parts.push(text(16, y(level) + 4, percent(level), 'q'));
  }
  parts.push(`<polyline class="l" points="${path.join(' ')}"/>`);
  for (const { examples_per_class: n, accuracy } of points) {
    parts.push(`<circle class="b" cx="${x(n).toFixed(1)}" cy="${y(accuracy).toFixed(1)}" r="3"/>`);
    parts.push(text(x(n) - 4, top + CURVE_HEIGHT + 34, String(n), 'q'));
  }
  return parts;
}

function text(x: number, y: number, content: string, style = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}"${style === '' ? '' : ` class="${style}"`}>${escaped}</text>`;
}

function percent(value: number): string {
  return `${(100 * value).toFixed(value === 0 || value === 1 ? 0 : 1)} %`;
}
