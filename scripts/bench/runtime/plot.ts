/** The runtime suite's result as an SVG of four panels, on a white ground of its own. Pure, no I/O. */
import { coldStartPanel } from './plot/cold-start-panel.ts';
import { inferencePanel } from './plot/inference-panel.ts';
import { latencyPanel } from './plot/latency-panel.ts';
import { memoryPanel } from './plot/memory-panel.ts';
import { escapeXml, INK, line, PANEL_HEIGHT_PX, PANEL_WIDTH_PX, text } from './plot/svg.ts';
import type { RuntimeResult } from './result.ts';

const COLUMNS = 2;
const HEADER_PX = 56;

const PANELS: readonly { readonly title: string; draw(result: RuntimeResult): string[] }[] = [
  { title: 'Inference of one image, one thread: median (mark: fastest)', draw: inferencePanel },
  { title: 'Cold start, default model', draw: coldStartPanel },
  { title: 'Latency over HTTP, default model, 500x375 JPEG', draw: latencyPanel },
  { title: 'Memory of the isolate, mixed images up to 12 MP', draw: memoryPanel },
];

/** Draws the result; a panel or a bar whose figures are missing says so. */
export function runtimeSvg(result: RuntimeResult): string {
  const width = COLUMNS * PANEL_WIDTH_PX;
  const height = HEADER_PX + Math.ceil(PANELS.length / COLUMNS) * PANEL_HEIGHT_PX;
  const { cpu, cores, node, wrangler, onnxruntime_web: web, measured_at: measuredAt } = result.machine;
  const machine = `${cpu}, ${cores} cores; Node ${node}, wrangler ${wrangler}, onnxruntime-web ${web}; ${measuredAt.slice(0, 10)}`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<title>bit-edge in workerd: ${escapeXml(machine)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="26" font-size="16" font-weight="600" fill="${INK.text}">bit-edge in workerd</text>`,
    text(16, 44, machine, { fill: INK.muted }),
    ...PANELS.flatMap(({ title, draw }, index) => {
      const x = (index % COLUMNS) * PANEL_WIDTH_PX;
      const y = HEADER_PX + Math.floor(index / COLUMNS) * PANEL_HEIGHT_PX;
      return [
        `<g transform="translate(${x} ${y})">`,
        line(16, 4, PANEL_WIDTH_PX - 16, 4, INK.grid),
        `<text x="16" y="26" font-size="13" font-weight="600" fill="${INK.text}">${escapeXml(title)}</text>`,
        ...draw(result),
        '</g>',
      ];
    }),
    '</svg>',
  ].join('\n')}\n`;
}
