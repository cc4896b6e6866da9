/** Threshold curves as SVG: one panel a category, precision and recall over the threshold. Pure. */
import type { Policy } from '../../../worker/moderation/policy/schema.ts';
import type { CategoryMetrics, CurvePoint } from './metrics.ts';

const PANEL_WIDTH_PX = 360;
const PANEL_HEIGHT_PX = 220;
const MARGIN_PX = { left: 44, right: 16, top: 44, bottom: 36 };
const COLUMNS = 2;

const COLOURS = { precision: '#1b6ac9', recall: '#c2410c', review: '#a16207', block: '#b91c1c' } as const;

/** Draws the curves of a policy's categories; those without a labelled image say so. */
export function thresholdCurveSvg(policy: Policy, metrics: readonly CategoryMetrics[]): string {
  const rows = Math.ceil(metrics.length / COLUMNS);
  const width = COLUMNS * PANEL_WIDTH_PX;
  const height = rows * PANEL_HEIGHT_PX + 28;
  const panels = metrics.map((each, index) => {
    const x = (index % COLUMNS) * PANEL_WIDTH_PX;
    const y = Math.floor(index / COLUMNS) * PANEL_HEIGHT_PX;
    const category = policy.categories.find(({ name }) => name === each.name);
    return `<g transform="translate(${x} ${y})">${panel(each, category?.thresholds ?? policy.defaults.thresholds)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` font-family="system-ui, sans-serif" font-size="11" fill="#1f2937">`,
    `<title>${escapeXml(policy.name)}@${escapeXml(policy.version)}: precision and recall over the threshold</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...panels,
    `<g transform="translate(${MARGIN_PX.left} ${height - 10})">`,
    ...(['precision', 'recall', 'review', 'block'] as const).map(
      (name, index) =>
        `<g transform="translate(${index * 90} 0)"><line x2="18" y1="-4" y2="-4" stroke="${COLOURS[name]}" stroke-width="2"` +
        `${name === 'review' || name === 'block' ? ' stroke-dasharray="4 3"' : ''}/><text x="24">${name}</text></g>`,
    ),
    '</g></svg>\n',
  ].join('');
}

function panel(
  metrics: CategoryMetrics,
  thresholds: { readonly review?: number | undefined; readonly block?: number | undefined } | undefined,
): string {
  const { left, right, top, bottom } = MARGIN_PX;
  const plotWidth = PANEL_WIDTH_PX - left - right;
  const plotHeight = PANEL_HEIGHT_PX - top - bottom;
  const x = (value: number) => round(left + value * plotWidth);
  const y = (value: number) => round(top + (1 - value) * plotHeight);
  const parts = [
    `<text x="${left}" y="20" font-weight="600">${escapeXml(metrics.name)}</text>`,
    `<text x="${left}" y="34" fill="#6b7280">${metrics.positives} images, precision ${percent(metrics.precision)}, recall ${percent(metrics.recall)}</text>`,
  ];
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(
      `<line x1="${left}" x2="${x(1)}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e5e7eb"/>`,
      `<text x="${left - 6}" y="${y(tick) + 4}" text-anchor="end">${tick}</text>`,
      `<text x="${x(tick)}" y="${y(0) + 16}" text-anchor="middle">${tick}</text>`,
    );
  }
  if (metrics.curve.length === 0) {
    parts.push(`<text x="${x(0.5)}" y="${y(0.5)}" text-anchor="middle" fill="#6b7280">no labelled image</text>`);
  }
  for (const action of ['review', 'block'] as const) {
    const value = thresholds?.[action];
    if (value === undefined) continue;
    parts.push(
      `<line x1="${x(value)}" x2="${x(value)}" y1="${y(0)}" y2="${y(1)}" stroke="${COLOURS[action]}" stroke-dasharray="4 3"/>`,
    );
  }
  for (const line of ['precision', 'recall'] as const) {
    const points = metrics.curve.flatMap((point: CurvePoint) => {
      const value = point[line];
      return value === null ? [] : [`${x(point.threshold)},${y(value)}`];
    });
    if (points.length > 0) {
      parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${COLOURS[line]}" stroke-width="2"/>`);
    }
  }
  return parts.join('');
}

/** A share in percent with one decimal, or a dash. */
export function percent(value: number | null): string {
  return value === null ? '-' : `${(value * 100).toFixed(1)} %`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
