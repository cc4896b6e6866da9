/** The panel of latency under load: p50, p95 and p99 by concurrency. Pure, no I/O. */
import type { RuntimeResult } from '../result.ts';
import { figure, INK, line, notMeasured, rect, scaleFor, text } from './svg.ts';

const LEFT_PX = 56;
const RIGHT_PX = 484;
const TOP_PX = 66;
const BOTTOM_PX = 244;
const BAR_PX = 34;
const GAP_PX = 8;

/** Draws it below its title. */
export function latencyPanel({ load }: RuntimeResult): string[] {
  if (load === null) return [notMeasured()];
  const scale = scaleFor(
    load.map((each) => each.p99Ms),
    BOTTOM_PX - TOP_PX,
  );
  const parts = scale.ticks.flatMap((tick, index) => {
    const y = BOTTOM_PX - scale.at(tick);
    const label = index === scale.ticks.length - 1 ? `${tick} ms` : String(tick);
    return [
      line(LEFT_PX, y, RIGHT_PX, y, INK.grid),
      text(LEFT_PX - 6, y + 4, label, { anchor: 'end', fill: INK.muted }),
    ];
  });
  const groupPx = (RIGHT_PX - LEFT_PX) / load.length;
  for (const [index, each] of load.entries()) {
    const middle = LEFT_PX + (index + 0.5) * groupPx;
    const bars = [
      ['p50', each.p50Ms, INK.blue],
      ['p95', each.p95Ms, INK.orange],
      ['p99', each.p99Ms, INK.slate],
    ] as const;
    for (const [place, [name, ms, fill]] of bars.entries()) {
      const x = middle + (place - 1) * (BAR_PX + GAP_PX);
      const height = Number.isFinite(ms) ? scale.at(ms) : 0;
      parts.push(
        rect(x - BAR_PX / 2, BOTTOM_PX - height, BAR_PX, height, fill),
        text(x, BOTTOM_PX - height - 4, figure(ms), { anchor: 'middle' }),
        text(x, BOTTOM_PX + 13, name, { anchor: 'middle', fill: INK.muted }),
      );
    }
    parts.push(
      text(middle, BOTTOM_PX + 30, `${each.concurrency} at a time`, { anchor: 'middle', bold: true }),
      text(middle, BOTTOM_PX + 44, `${figure(each.perSecond)}/s, ${each.lost} lost`, { anchor: 'middle' }),
    );
  }
  return parts;
}
