/**
 * Decoding of files with several scans (progressive ones, and sequential ones that are not interleaved), and of all that are
 * arithmetic coded.
 *
 * Source: libjpeg-turbo jdcoefct.c `consume_data`, `decompress_data`; but instead of the whole image's coefficients, one row
 * of MCUs' is kept (see coefficient-scan.ts).
 */
import { ARITHMETIC_SCAN_BYTES, ArithmeticScan } from './arithmetic-scan.ts';
import { BitWindow } from './bit-window.ts';
import { CoefficientRow } from './coefficient-row.ts';
import { CoefficientScan } from './coefficient-scan.ts';
import { BLOCK_BUFFER_LENGTH, BlockBuffer, blockHolds, transformBlock, zigzagMultipliers } from './component-output.ts';
import { SAFE_MAGNITUDE } from './idct.ts';
import { idct1x1 } from './idct-reduced.ts';
import type { ComponentLayout, Layout } from './layout.ts';
import type { Scan } from './marker-reader.ts';
import { NATURAL_ORDER } from './markers.ts';
import type { Plane, RowOutput } from './row-output.ts';
import { neededScans, type ScanPlan } from './scan-plan.ts';
import { ScanReader } from './scan-reader.ts';
import { mcuBlocks, mcuCount } from './scan-setup.ts';
import { MAX_BLOCK_BYTES, OVERFLOWS } from './sequential.ts';
import { BlockSmoother, smoothingApplies } from './smoothing.ts';

/** Bytes that all windows over the data share, as far as `MIN_WINDOW_BYTES` allows. */
const WINDOWS_BYTES = 1 << 18;
const MAX_WINDOW_BYTES = 1 << 14;
const MIN_WINDOW_BYTES = 1 << 10;

/** Most bytes that an MCU of a progressive scan can take: 63 symbols of 31 bits, or 10 DC differences, and a run. */
const PROGRESSIVE_MCU_BYTES = 288;

/** One scan of the file, which decodes its share of each row of MCUs. */
interface RowScan {
  /** The last row of MCUs in which an MCU began with data to read. */
  readonly lastGoodRow: number;
  decodeRow(mcuRow: number, rows: readonly CoefficientRow[]): void;
}

/** Decodes all scans and flushes every row of MCUs. */
export function decodeMultiScan(
  bytes: Uint8Array,
  plan: ScanPlan,
  layout: Layout,
  progressive: boolean,
  allowTruncated: boolean,
  output: RowOutput,
): void {
  const rows = layout.components.map((component) => new CoefficientRow(component));
  const notesNonzero = progressive && !plan.arithmetic;
  const smooth = progressive && smoothingApplies(plan);
  let smoother: BlockSmoother | undefined;
  if (smooth) {
    // Smoothing looks at neighbouring blocks' DC, two rows up and down: a first pass collects them.
    const scans = openScans(bytes, plan, plan.scans, layout, progressive, allowTruncated, true);
    smoother = new BlockSmoother(plan, layout);
    for (let mcuRow = 0; mcuRow < layout.mcuRows; mcuRow++) {
      decodeRow(scans, mcuRow, rows, notesNonzero);
      smoother.collect(mcuRow, rows);
    }
    smoother.lastGoodRow = scans[scans.length - 1]!.lastGoodRow;
  }
  const needed = smooth ? plan.scans : neededScans(plan, layout, progressive);
  const scans = openScans(bytes, plan, needed, layout, progressive, allowTruncated, false);
  const outputs = layout.components.map(
    (component, c) => new ComponentOutput(component, output.planes[c]!, plan.quantTables[c]),
  );
  for (let mcuRow = 0; mcuRow < layout.mcuRows; mcuRow++) {
    decodeRow(scans, mcuRow, rows, notesNonzero);
    for (let c = 0; c < outputs.length; c++) {
      smoother?.smooth(c, mcuRow, rows[c]!);
      outputs[c]!.transformRow(mcuRow, rows[c]!);
    }
    output.flush(mcuRow);
  }
}

/** Bytes that `decodeMultiScan` allocates, apart from the output. */
export function multiScanBytes(plan: ScanPlan, layout: Layout, progressive: boolean): number {
  const smooth = progressive && smoothingApplies(plan);
  const scans = smooth ? plan.scans : neededScans(plan, layout, progressive);
  let bytes = smooth ? BlockSmoother.bytes(layout) : 0;
  for (const component of layout.components) bytes += CoefficientRow.bytes(component) + BLOCK_BUFFER_LENGTH * 2 + 512;
  for (const scan of scans) {
    if (plan.arithmetic) {
      bytes += ARITHMETIC_SCAN_BYTES * (smooth ? 2 : 1);
      continue;
    }
    const perScan = BitWindow.bytes(windowBytes(scans.length, progressive), scanMcuBytes(scan, layout, progressive));
    bytes += (perScan + scan.components.length * 10_000) * (smooth ? 2 : 1);
  }
  return bytes;
}

function decodeRow(
  scans: readonly RowScan[],
  mcuRow: number,
  rows: readonly CoefficientRow[],
  notesNonzero: boolean,
): void {
  for (const row of rows) row.clear();
  for (const scan of scans) scan.decodeRow(mcuRow, rows);
  if (!notesNonzero) for (const row of rows) row.findNonzero();
}

function openScans(
  bytes: Uint8Array,
  { arithmetic }: ScanPlan,
  scans: readonly Scan[],
  layout: Layout,
  progressive: boolean,
  allowTruncated: boolean,
  trackGoodRows: boolean,
): RowScan[] {
  if (arithmetic) return scans.map((scan) => new ArithmeticScan(bytes, scan, layout, progressive, allowTruncated));
  const window = windowBytes(scans.length, progressive);
  return scans.map((scan) => {
    const mcuBytes = scanMcuBytes(scan, layout, progressive);
    const reader = new ScanReader(bytes, scan, mcuCount(scan, layout), window, mcuBytes, allowTruncated);
    return new CoefficientScan(scan, layout, progressive, reader, trackGoodRows);
  });
}

function windowBytes(scans: number, progressive: boolean): number {
  const least = progressive ? MIN_WINDOW_BYTES : MAX_WINDOW_BYTES;
  return Math.max(least, Math.min(MAX_WINDOW_BYTES, Math.floor(WINDOWS_BYTES / scans)));
}

function scanMcuBytes(scan: Scan, layout: Layout, progressive: boolean): number {
  return progressive ? PROGRESSIVE_MCU_BYTES : mcuBlocks(scan, layout) * MAX_BLOCK_BYTES;
}

/** Turns the coefficients of one component into samples. */
class ComponentOutput {
  private readonly layout: ComponentLayout;
  private readonly plane: Plane;
  private readonly quant: Int32Array;
  /** The nonzero AC coefficients that count, as bits in the manner of `CoefficientRow.nonzero`. */
  private readonly heldLow: number;
  private readonly heldHigh: number;
  private readonly buffer = new BlockBuffer();

  constructor(layout: ComponentLayout, plane: Plane, table: Uint16Array | undefined) {
    this.layout = layout;
    this.plane = plane;
    this.quant = zigzagMultipliers(table);
    let low = 0;
    let high = 0;
    for (let k = 1; k < 64; k++) {
      if (!blockHolds(NATURAL_ORDER[k]!, layout.blockSize)) continue;
      if (k < 32) low |= 1 << k;
      else high |= 1 << (k - 32);
    }
    this.heldLow = low;
    this.heldHigh = high;
  }

  transformRow(mcuRow: number, row: CoefficientRow): void {
    const { plane, buffer, quant, heldLow, heldHigh } = this;
    const block = buffer.coefficients;
    const { vertical, heightInBlocks, widthInBlocks, paddedWidthInBlocks, blockSize } = this.layout;
    const { coefficients, nonzero } = row;
    const { samples, stride } = plane;
    const blockRows = Math.min(vertical, heightInBlocks - mcuRow * vertical);
    for (let y = 0; y < blockRows; y++) {
      const firstBlock = y * paddedWidthInBlocks;
      let at = (plane.carriedRows + y * blockSize) * stride;
      for (let b = firstBlock; b < firstBlock + widthInBlocks; b++, at += blockSize) {
        const dc = Math.imul(coefficients[b * 64]!, quant[0]!);
        if (blockSize === 1) {
          idct1x1(dc, samples, at);
          continue;
        }
        block[0] = dc;
        const low = nonzero[2 * b]! & heldLow;
        const high = nonzero[2 * b + 1]! & heldHigh;
        let used = 0;
        if ((low | high) !== 0) used = dequantizeAc(coefficients, b * 64, low, high, quant, block, Math.abs(dc));
        else if (Math.abs(dc) > SAFE_MAGNITUDE) used = OVERFLOWS;
        transformBlock(block, 0, used, blockSize, samples, at, stride);
        if (used !== 0) buffer.clear();
      }
    }
  }
}

/** Dequantizes the AC coefficients whose bits are set, to natural order; returns what `transformBlock` wants to know. */
function dequantizeAc(
  coefficients: Int16Array,
  base: number,
  low: number,
  high: number,
  quant: Int32Array,
  block: Int16Array,
  dcMagnitude: number,
): number {
  let magnitude = dcMagnitude;
  let used = 0;
  for (let word = 0; word < 2; word++) {
    const offset = word * 32;
    for (let rest = word === 0 ? low : high; rest !== 0; rest &= rest - 1) {
      const k = offset + 31 - Math.clz32(rest & -rest);
      const value = Math.imul(coefficients[base + k]!, quant[k]!);
      const position = NATURAL_ORDER[k]!;
      block[position] = value;
      used |= position;
      magnitude += Math.abs(value);
    }
  }
  return magnitude > SAFE_MAGNITUDE ? used | OVERFLOWS : used;
}
