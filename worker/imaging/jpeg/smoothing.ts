/**
 * Block smoothing: while a progressive file's AC coefficients are incomplete, they are estimated from neighbouring DC values.
 *
 * Bit-exact with libjpeg-turbo jdcoefct.c `decompress_smooth_data`; an extension of ITU-T T.81 K.8 to a 5x5 window.
 */
import type { CoefficientRow } from './coefficient-row.ts';
import type { ComponentLayout, Layout } from './layout.ts';
import { NATURAL_ORDER } from './markers.ts';
import { type ScanPlan, TRACKED_COEFFICIENTS } from './scan-plan.ts';

/**
 * Weights of the 5x5 window of DC values by tracked coefficient, for when no AC coefficient is known at all; DC itself is
 * smoothed too.
 */
const WITHOUT_AC: readonly (readonly number[])[] = [
  [-2, -6, -8, -6, -2, -6, 6, 42, 6, -6, -8, 42, 152, 42, -8, -6, 6, 42, 6, -6, -2, -6, -8, -6, -2],
  [-1, -1, 0, 1, 1, -3, 13, 0, -13, 3, -3, 38, 0, -38, 3, -3, 13, 0, -13, 3, -1, -1, 0, 1, 1],
  [-1, -3, -3, -3, -1, -1, 13, 38, 13, -1, 0, 0, 0, 0, 0, 1, -13, -38, -13, 1, 1, 3, 3, 3, 1],
  [0, 0, 1, 0, 0, 0, 2, 7, 2, 0, 0, -5, -14, -5, 0, 0, 2, 7, 2, 0, 0, 0, 1, 0, 0],
  [-1, 0, 0, 0, 1, 0, 9, 0, -9, 0, 0, 0, 0, 0, 0, 0, -9, 0, 9, 0, 1, 0, 0, 0, -1],
  [0, 0, 0, 0, 0, 0, 2, -5, 2, 0, 1, 7, -14, 7, 1, 0, 2, -5, 2, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, 2, 0, -2, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 1, -3, 1, 0, 0, 0, 0, 0, 0, 0, -1, 3, -1, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, -3, 0, 3, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, -1, -2, -1, 0, 0, 0, 0, 0, 0],
];

/** The same for when some AC coefficients are known: only five are estimated then, and DC stays. */
const WITH_AC: readonly (readonly number[])[] = [
  [],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -7, 50, 0, -50, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, -7, 0, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, -50, 0, 0, 0, 0, 7, 0, 0],
  [0, 0, -1, 0, 0, 0, 0, 13, 0, 0, 0, 0, -24, 0, 0, 0, 0, 13, 0, 0, 0, 0, -1, 0, 0],
  [0, -1, 0, 1, 0, -1, 10, 0, -10, 1, 0, 0, 0, 0, 0, 1, -10, 0, 10, -1, 0, 1, 0, -1, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 13, -24, 13, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
];

const COEFFICIENTS_WITH_AC = 6;

/** The precision before the first scan. */
const NOTHING_KNOWN = new Int8Array(TRACKED_COEFFICIENTS).fill(-1);

/**
 * Tells whether the scans leave coefficients incomplete that smoothing can estimate.
 * Source: libjpeg-turbo jdcoefct.c `smoothing_ok`.
 */
export function smoothingApplies(plan: ScanPlan): boolean {
  let useful = false;
  for (let c = 0; c < plan.precision.length; c++) {
    const table = plan.quantTables[c];
    const { current } = plan.precision[c]!;
    if (table === undefined || current[0]! < 0) return false;
    for (let k = 0; k < TRACKED_COEFFICIENTS; k++) {
      if (table[NATURAL_ORDER[k]!] === 0) return false;
      if (k > 0 && current[k] !== 0) useful = true;
    }
  }
  return useful;
}

/** Keeps the DC values of the whole image and estimates AC coefficients from them. */
export class BlockSmoother {
  /** Rows of MCUs after this one were missing in the last scan; there the precision before that scan counts. */
  lastGoodRow = 0;

  private readonly plan: ScanPlan;
  private readonly layout: Layout;
  private readonly dc: readonly Int16Array[];
  private readonly neighbours = new Int32Array(25);

  constructor(plan: ScanPlan, layout: Layout) {
    this.plan = plan;
    this.layout = layout;
    this.dc = layout.components.map((component) => new Int16Array(dcLength(layout, component)));
  }

  /** Bytes that a smoother for this layout allocates. */
  static bytes(layout: Layout): number {
    return layout.components.reduce((sum, component) => sum + dcLength(layout, component) * 2, 128);
  }

  /** Notes the DC values of a row of MCUs. */
  collect(mcuRow: number, rows: readonly CoefficientRow[]): void {
    for (let c = 0; c < rows.length; c++) {
      const { coefficients } = rows[c]!;
      const blocks = coefficients.length / 64;
      const dc = this.dc[c]!;
      for (let i = 0, to = mcuRow * blocks; i < blocks; i++) dc[to + i] = coefficients[i * 64]!;
    }
  }

  /** Replaces coefficients of a row of MCUs by estimates, where they are zero and not known in full. */
  smooth(c: number, mcuRow: number, row: CoefficientRow): void {
    const component = this.layout.components[c]!;
    const { vertical, heightInBlocks, widthInBlocks, paddedWidthInBlocks } = component;
    const { current, previous } = this.plan.precision[c]!;
    const bits = mcuRow <= this.lastGoodRow ? current : this.plan.scans.length > 1 ? previous : NOTHING_KNOWN;
    const withoutAc = bits.subarray(1, TRACKED_COEFFICIENTS).every((value) => value === -1);
    const last = mcuRow === this.layout.mcuRows - 1;
    // In the last row of MCUs only block rows that carry image count, and libjpeg numbers all rows as if that held everywhere.
    const blockRows = last ? ((heightInBlocks - 1) % vertical) + 1 : vertical;
    const imageRows = blockRows * this.layout.mcuRows;
    for (let y = 0; y < blockRows; y++) {
      const numbered = mcuRow * blockRows + y;
      const here = mcuRow * vertical + y;
      const above = numbered > 0 ? here - 1 : here;
      const below = numbered < imageRows - 1 ? here + 1 : here;
      const lines = [
        numbered > 1 ? here - 2 : above,
        above,
        here,
        below,
        numbered < imageRows - 2 ? here + 2 : below,
      ].map((line) => line * paddedWidthInBlocks);
      for (let x = 0; x < widthInBlocks; x++) {
        this.gather(c, lines, x, widthInBlocks - 1);
        this.estimate(c, row.coefficients, (y * paddedWidthInBlocks + x) * 64, bits, withoutAc);
      }
    }
    row.findNonzero();
  }

  /** Fetches the 5x5 window around a block; beyond the sides the outermost column stands again. */
  private gather(c: number, lines: readonly number[], x: number, lastColumn: number): void {
    const dc = this.dc[c]!;
    for (let line = 0; line < 5; line++) {
      const start = lines[line]!;
      for (let column = 0; column < 5; column++) {
        const at = Math.min(Math.max(x + column - 2, 0), lastColumn);
        this.neighbours[line * 5 + column] = dc[start + at]!;
      }
    }
  }

  private estimate(c: number, row: Int16Array, base: number, bits: Int8Array, withoutAc: boolean): void {
    const table = this.plan.quantTables[c]!;
    const weights = withoutAc ? WITHOUT_AC : WITH_AC;
    const count = withoutAc ? TRACKED_COEFFICIENTS : COEFFICIENTS_WITH_AC;
    for (let k = 1; k < count; k++) {
      if (bits[k] === 0 || row[base + k] !== 0) continue;
      row[base + k] = this.predict(weights[k]!, table[0]!, table[NATURAL_ORDER[k]!]!, bits[k]!);
    }
    if (withoutAc) row[base] = this.predict(WITHOUT_AC[0]!, table[0]!, table[0]!, 0);
  }

  /** The weighted sum in steps of the coefficient's quantizer, rounded half away from zero, below what is known to be 0. */
  private predict(weights: readonly number[], dcQuant: number, quant: number, unknownBits: number): number {
    let sum = 0;
    for (let i = 0; i < 25; i++) sum += this.neighbours[i]! * weights[i]!;
    sum *= dcQuant;
    let size = Math.floor((quant * 128 + Math.abs(sum)) / (quant * 256));
    if (unknownBits > 0 && size >= 1 << unknownBits) size = (1 << unknownBits) - 1;
    return sum >= 0 ? size : -size;
  }
}

function dcLength(layout: Layout, component: ComponentLayout): number {
  // Two rows more than there are: the window may look past a last row of blocks that carry no image.
  return component.paddedWidthInBlocks * (component.vertical * layout.mcuRows + 2);
}
