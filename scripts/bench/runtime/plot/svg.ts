/** Pieces of the runtime plot: shapes, text, a scale. Pure, no I/O. Lengths in px, the origin at the top left. */

/** Colours on the plot's own white ground. */
export const INK = {
  text: '#0f172a',
  muted: '#475569',
  grid: '#e2e8f0',
  target: '#b91c1c',
  blue: '#2563eb',
  teal: '#0f766e',
  orange: '#ea580c',
  slate: '#94a3b8',
} as const;

/** Width of a panel. */
export const PANEL_WIDTH_PX = 500;

/** Height of a panel. */
export const PANEL_HEIGHT_PX = 384;

/** Room for the words over a target. */
const TARGET_LABEL_PX = 160;

/** About so many lines of a grid. */
const TICKS = 5;

/** One part of a stacked bar: name, value and colour. */
export type Band = readonly [string, number, string];

/** How a text is set. */
export interface TextStyle {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly fill?: string;
  readonly bold?: boolean;
}

/** A filled rectangle; nothing of a width or height that is no number. */
export function rect(x: number, y: number, width: number, height: number, fill: string): string {
  if (!Number.isFinite(width) || !Number.isFinite(height)) return '';
  return `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" fill="${fill}"/>`;
}

/** A straight line. */
export function line(x1: number, y1: number, x2: number, y2: number, stroke: string, dashed = false): string {
  const dashes = dashed ? ' stroke-width="1.5" stroke-dasharray="5 3"' : '';
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${stroke}"${dashes}/>`;
}

/** One line of text; `y` is its base line. */
export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { anchor = 'start', fill = INK.text, bold = false } = style;
  const weight = bold ? ' font-weight="600"' : '';
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}" fill="${fill}"${weight}>${escapeXml(content)}</text>`;
}

/** The parts of a stacked bar in words, `[name, value, colour]`, each in its colour; `tail` behind them. */
export function stackText(x: number, y: number, bands: readonly Band[], tail = ''): string {
  const spans = bands.map(([name, value, fill]) => {
    // Slate is too light for letters.
    return `<tspan fill="${fill === INK.slate ? INK.muted : fill}">${escapeXml(name)} ${figure(value)}</tspan>`;
  });
  return `<text x="${px(x)}" y="${px(y)}" fill="${INK.muted}">${spans.join(' + ')}${escapeXml(tail)}</text>`;
}

/** A bar of bands side by side, from `x` on. */
export function stack(x: number, y: number, height: number, bands: readonly Band[], scale: Scale): string[] {
  let left = x;
  return bands.map(([, value, fill]) => {
    const from = left;
    left += scale.at(value);
    return rect(from, y, left - from, height, fill);
  });
}

/** The words of a panel that has nothing to show. */
export function notMeasured(): string {
  return text(PANEL_WIDTH_PX / 2, PANEL_HEIGHT_PX / 2, 'not measured', { anchor: 'middle', fill: INK.muted });
}

/** One decimal; `-` for what is no number. */
export function figure(value: number): string {
  return Number.isFinite(value) ? value.toFixed(1) : '-';
}

/** A linear scale from 0. */
export interface Scale {
  /** A value's distance from 0, in px. */
  at(value: number): number;
  /** Values for the lines of a grid, 0 first. */
  readonly ticks: readonly number[];
}

/** A scale that ends `lengthPx` from 0, at the first tick that no value exceeds. Values that are no numbers are left out. */
export function scaleFor(values: readonly number[], lengthPx: number): Scale {
  const largest = Math.max(...values.filter(Number.isFinite), 1e-6);
  const rough = largest / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const count = Math.ceil(largest / step - 1e-9);
  return {
    at: (value) => (value / (count * step)) * lengthPx,
    ticks: Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6))),
  };
}

/** Vertical grid lines of a scale that begins at `left`, between `top` and `bottom`, with their values below. */
export function columns(scale: Scale, left: number, top: number, bottom: number, unit: string): string[] {
  return scale.ticks.flatMap((tick, index) => {
    const x = left + scale.at(tick);
    const label = index === scale.ticks.length - 1 ? `${tick} ${unit}` : String(tick);
    return [line(x, top, x, bottom, INK.grid), text(x, bottom + 14, label, { anchor: 'middle', fill: INK.muted })];
  });
}

/** What is wanted: a vertical line at `x`, over a bar of this top and height. */
export function targetLine(x: number, top: number, height: number): string {
  return line(x, top - 4, x, top + height + 4, INK.target, true);
}

/** The words over a target's line, within the panel. */
export function targetLabel(x: number, y: number, meaning: string): string {
  const middle = Math.min(x, PANEL_WIDTH_PX - TARGET_LABEL_PX / 2);
  return text(middle, y, meaning, { anchor: 'middle', fill: INK.target });
}

/** Text as it may stand in XML. */
export function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
