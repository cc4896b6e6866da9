/** The panel of cold starts: a stacked bar each, the fastest first. Pure, no I/O. */
import type { ColdStart } from '../cold-start.ts';
import { type RuntimeResult, TARGETS } from '../result.ts';
import {
  type Band,
  columns,
  figure,
  INK,
  notMeasured,
  scaleFor,
  stack,
  stackText,
  targetLabel,
  targetLine,
  text,
} from './svg.ts';

const LEFT_PX = 24;
const LENGTH_PX = 440;
const TOP_PX = 66;
const BOTTOM_PX = 262;
const BAR_PX = 22;

/** Draws it below its title. */
export function coldStartPanel({ cold_start: starts }: RuntimeResult): string[] {
  if (starts === null) return [notMeasured()];
  const scale = scaleFor([...starts.map((start) => start.firstAnswerMs), TARGETS.coldMs], LENGTH_PX);
  const rowPx = (BOTTOM_PX - TOP_PX) / starts.length;
  const wanted = LEFT_PX + scale.at(TARGETS.coldMs);
  const parts = columns(scale, LEFT_PX, TOP_PX, BOTTOM_PX, 'ms');
  parts.push(targetLabel(wanted, TOP_PX - 4, `wanted: under ${TARGETS.coldMs} ms`));
  for (const [index, start] of starts.entries()) {
    const y = TOP_PX + index * rowPx + 6;
    parts.push(
      ...stack(LEFT_PX, y, BAR_PX, stages(start), scale),
      targetLine(wanted, y, BAR_PX),
      stackText(LEFT_PX, y + BAR_PX + 14, stages(start)),
      text(LEFT_PX, y + BAR_PX + 28, `first answer after ${figure(start.firstAnswerMs)} ms`, { bold: true }),
    );
  }
  return parts;
}

/** In ms, in the order in which they happen. */
function stages(start: ColdStart): Band[] {
  const { manifestMs, filesMs, sessionMs, firstAnswerMs } = start;
  const rest = Math.max(0, firstAnswerMs - manifestMs - filesMs - sessionMs);
  return [
    ['manifest', manifestMs, INK.teal],
    ['files, runtime', filesMs, INK.orange],
    ['session', sessionMs, INK.blue],
    ['the rest', rest, INK.muted],
  ];
}
