/** The panel of memory by model: what the isolate holds, and the garbage on top. Pure, no I/O. */
import type { MemoryResult } from '../memory.ts';
import { type RuntimeResult, TARGETS } from '../result.ts';
import {
  type Band,
  columns,
  figure,
  INK,
  type Scale,
  scaleFor,
  stack,
  stackText,
  targetLabel,
  targetLine,
  text,
} from './svg.ts';

const LEFT_PX = 24;
const LENGTH_PX = 440;
const TOP_PX = 48;
const BOTTOM_PX = 350;
const ROW_PX = (BOTTOM_PX - TOP_PX) / 4;
const BAR_PX = 16;

/** Draws it below its title. */
export function memoryPanel({ memory }: RuntimeResult): string[] {
  const rows = [
    ['default model', memory.default, TARGETS.defaultPeakMib],
    ['BiT-R50x1 int8', memory.r50, TARGETS.r50PeakMib],
    ['BiT-R50x1 int8, 448 px', memory.r50_448, TARGETS.r50At448PeakMib],
    ['BiT-R101x1 int8, 448 px', memory.r101_448, TARGETS.r101At448PeakMib],
  ] as const;
  const values = rows.flatMap(([, found, wanted]) => [found?.peakMib ?? Number.NaN, wanted]);
  const scale = scaleFor(values, LENGTH_PX);
  const parts = columns(scale, LEFT_PX, TOP_PX, BOTTOM_PX, 'MiB');
  for (const [index, [name, found, wanted]] of rows.entries()) {
    const y = TOP_PX + index * ROW_PX;
    const limit = LEFT_PX + scale.at(wanted);
    const top = y + 28;
    parts.push(text(LEFT_PX, y + 8, name, { bold: true }));
    parts.push(
      ...(found === null ? [text(LEFT_PX, top + 16, 'not measured', { fill: INK.muted })] : row(found, top, scale)),
    );
    parts.push(targetLabel(limit, top - 5, `wanted: at most ${wanted} MiB`), targetLine(limit, top, BAR_PX));
  }
  return parts;
}

function row(found: MemoryResult, top: number, scale: Scale): string[] {
  const { wasmMib, steadyMib, peakMib, growthMib, requests, failed } = found;
  const bands: readonly Band[] = [
    ['WASM', wasmMib, INK.blue],
    ['JavaScript', steadyMib - wasmMib, INK.orange],
    ['garbage', Math.max(0, peakMib - steadyMib), INK.slate],
  ];
  return [
    ...stack(LEFT_PX, top, BAR_PX, bands, scale),
    stackText(LEFT_PX, top + BAR_PX + 14, bands, `; peak ${figure(peakMib)} MiB`),
    text(
      LEFT_PX,
      top + BAR_PX + 26,
      `${figure(steadyMib)} after collection, growth ${growthMib.toFixed(2)}; ${failed} of ${requests} requests failed`,
      { fill: failed === 0 ? INK.muted : INK.target },
    ),
  ];
}
