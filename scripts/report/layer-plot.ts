/** The report's plot: how far each layer of the int8 variant is off. Pure, no I/O. */
import type { Report } from './report.ts';

/** An SVG page; null where nothing was quantized. */
export function renderLayerPlot(_report: Report): string | null {
  return null;
}
