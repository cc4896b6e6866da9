/** The report's plot: how far each layer of the int8 variant is off, as an SVG. Pure, no I/O. */
import type { QuantizedLayer, Report } from './report.ts';

const ROW_PX = 16;
const BAR_PX = 5;
const LABELS_PX = 300;
const BARS_PX = 520;
const TOP_PX = 80;
const MARGIN_PX = 24;
const WEIGHT_COLOR = '#2563eb';
const INPUT_COLOR = '#ea580c';
const FLOAT_COLOR = '#94a3b8';

/** About so many lines of the grid. */
const TICKS = 5;

/** An SVG page with two bars a layer, for weights and for the input; null where nothing was quantized. */
export function renderLayerPlot({ name, version, quantization }: Report): string | null {
  if (quantization === null || quantization.layers.length === 0) return null;
  const { layers } = quantization;
  const width = LABELS_PX + BARS_PX + 2 * MARGIN_PX;
  const height = TOP_PX + layers.length * ROW_PX + MARGIN_PX;
  const largest = Math.max(...layers.flatMap((layer) => [layer.weight_error, layer.input_error]), 1e-6);
  const step = tickStep(largest);
  const limit = Math.ceil(largest / step) * step;
  const x = (error: number): number => LABELS_PX + MARGIN_PX + (error / limit) * BARS_PX;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<title>int8 error by layer, ${escapeXml(name)} ${escapeXml(version)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${MARGIN_PX}" y="22" font-size="14" font-weight="600" fill="#0f172a">Relative error by layer of the int8 variant</text>`,
    ...legend([
      [WEIGHT_COLOR, 'weights'],
      [INPUT_COLOR, 'input'],
      [FLOAT_COLOR, 'left in float32: what int8 would have cost'],
    ]),
  ];
  for (let tick = 0; tick <= limit + step / 2; tick += step) {
    const at = x(tick).toFixed(1);
    parts.push(
      `<line x1="${at}" y1="${TOP_PX - 4}" x2="${at}" y2="${height - MARGIN_PX}" stroke="#e2e8f0"/>`,
      `<text x="${at}" y="${TOP_PX - 8}" text-anchor="middle" fill="#475569">${percent(tick, step)}</text>`,
    );
  }
  for (const [row, layer] of layers.entries()) parts.push(...layerRow(layer, TOP_PX + row * ROW_PX, x));
  parts.push('</svg>');
  return `${parts.join('\n')}\n`;
}

function layerRow(layer: QuantizedLayer, y: number, x: (error: number) => number): string[] {
  const isFloat = layer.precision === 'float32';
  const bar = (error: number, top: number, color: string): string => {
    const fill = isFloat ? FLOAT_COLOR : color;
    return `<rect x="${x(0).toFixed(1)}" y="${top}" width="${(x(error) - x(0)).toFixed(1)}" height="${BAR_PX}" fill="${fill}"/>`;
  };
  const hint = `${layer.name}: weights ${percent(layer.weight_error, 1e-4)}, input ${percent(layer.input_error, 1e-4)}, ${layer.precision}`;
  return [
    `<g><title>${escapeXml(hint)}</title>`,
    `<text x="${LABELS_PX + MARGIN_PX - 8}" y="${y + 11}" text-anchor="end" fill="#0f172a">${escapeXml(layer.name)}</text>`,
    bar(layer.weight_error, y + 2, WEIGHT_COLOR),
    bar(layer.input_error, y + 2 + BAR_PX, INPUT_COLOR),
    '</g>',
  ];
}

function legend(entries: readonly (readonly [string, string])[]): string[] {
  let left = MARGIN_PX;
  return entries.flatMap(([color, label]) => {
    const at = left;
    left += 36 + label.length * 6;
    return [
      `<rect x="${at}" y="35" width="10" height="10" fill="${color}"/>`,
      `<text x="${at + 15}" y="44" fill="#475569">${escapeXml(label)}</text>`,
    ];
  });
}

/** 1, 2 or 5 times a power of ten, so that about `TICKS` of them make the range. */
function tickStep(range: number): number {
  const rough = range / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5].find((each) => each * power >= rough) ?? 10;
  return factor * power;
}

function percent(share: number, step: number): string {
  const digits = Math.max(0, Math.ceil(-Math.log10(step * 100) - 1e-9));
  return `${(share * 100).toFixed(digits)} %`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
