/**
 * Decoding of files with several scans: progressive ones, and sequential ones that are not interleaved.
 *
 * Source: libjpeg-turbo jdcoefct.c `consume_data`, `decompress_data`; but instead of the whole image's coefficients, one row
 * of MCUs' is kept (see coefficient-scan.ts).
 */
import { BitWindow } from './bit-window.ts';
import { type CoefficientRow, CoefficientScan } from './coefficient-scan.ts';
import { BLOCK_BUFFER_LENGTH, blockHolds, transformBlock } from './component-output.ts';
import { SAFE_MAGNITUDE } from './idct.ts';
import { idct1x1 } from './idct-reduced.ts';
import type { ComponentLayout, Layout } from './layout.ts';
import type { Scan } from './marker-reader.ts';
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

/** Decodes all scans and flushes every row of MCUs. */
export function decodeMultiScan(
  bytes: Uint8Array,
  plan: ScanPlan,
  layout: Layout,
  progressive: boolean,
  allowTruncated: boolean,
  output: RowOutput,
): void {
  const rows = layout.components.map((component): CoefficientRow => new Int16Array(rowLength(component)));
  const smooth = progressive && smoothingApplies(plan);
  let smoother: BlockSmoother | undefined;
  if (smooth) {
    // Smoothing looks at neighbouring blocks' DC, two rows up and down: a first pass collects them.
    const scans = openScans(bytes, plan.scans, layout, progressive, allowTruncated, true);
    smoother = new BlockSmoother(plan, layout);
    for (let mcuRow = 0; mcuRow < layout.mcuRows; mcuRow++) {
      decodeRow(scans, mcuRow, rows);
      smoother.collect(mcuRow, rows);
    }
    smoother.lastGoodRow = scans[scans.length - 1]!.lastGoodRow;
  }
  const needed = smooth ? plan.scans : neededScans(plan, layout, progressive);
  const scans = openScans(bytes, needed, layout, progressive, allowTruncated, false);
  const outputs = layout.components.map(
    (component, c) => new ComponentOutput(component, output.planes[c]!, plan.quantTables[c]),
  );
  for (let mcuRow = 0; mcuRow < layout.mcuRows; mcuRow++) {
    decodeRow(scans, mcuRow, rows);
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
  for (const component of layout.components) bytes += rowLength(component) * 2 + BLOCK_BUFFER_LENGTH * 2 + 256;
  for (const scan of scans) {
    const perScan = BitWindow.bytes(windowBytes(scans.length, progressive), scanMcuBytes(scan, layout, progressive));
    bytes += (perScan + scan.components.length * 10_000) * (smooth ? 2 : 1);
  }
  return bytes;
}

function decodeRow(scans: readonly CoefficientScan[], mcuRow: number, rows: readonly CoefficientRow[]): void {
  for (const row of rows) row.fill(0);
  for (const scan of scans) scan.decodeRow(mcuRow, rows);
}

function openScans(
  bytes: Uint8Array,
  scans: readonly Scan[],
  layout: Layout,
  progressive: boolean,
  allowTruncated: boolean,
  trackGoodRows: boolean,
): CoefficientScan[] {
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

function rowLength(component: ComponentLayout): number {
  return component.paddedWidthInBlocks * component.vertical * 64;
}

/** Turns the coefficients of one component into samples. */
class ComponentOutput {
  private readonly layout: ComponentLayout;
  private readonly plane: Plane;
  /** By natural position, 0 for what the block does not have to hold. */
  private readonly quant: Int32Array;
  private readonly block = new Int16Array(BLOCK_BUFFER_LENGTH);

  constructor(layout: ComponentLayout, plane: Plane, table: Uint16Array | undefined) {
    this.layout = layout;
    this.plane = plane;
    this.quant = Int32Array.from({ length: 64 }, (_, position) =>
      blockHolds(position, layout.blockSize) ? ((table?.[position] ?? 0) << 16) >> 16 : 0,
    );
  }

  transformRow(mcuRow: number, row: CoefficientRow): void {
    const { plane, block } = this;
    const { vertical, heightInBlocks, widthInBlocks, paddedWidthInBlocks, blockSize } = this.layout;
    const blockRows = Math.min(vertical, heightInBlocks - mcuRow * vertical);
    const { samples, stride } = plane;
    for (let y = 0; y < blockRows; y++) {
      let base = y * paddedWidthInBlocks * 64;
      let at = (plane.carriedRows + y * blockSize) * stride;
      for (let x = 0; x < widthInBlocks; x++, base += 64, at += blockSize) {
        if (blockSize === 1) {
          idct1x1(Math.imul(row[base]!, this.quant[0]!), samples, at);
          continue;
        }
        const used = this.dequantize(row, base);
        transformBlock(block, 0, used, blockSize, samples, at, stride);
        if (used !== 0) block.fill(0);
      }
    }
  }

  /** Fills `block`; returns what `transformBlock` wants to know about it. */
  private dequantize(row: CoefficientRow, base: number): number {
    const { block, quant } = this;
    let magnitude = 0;
    let used = 0;
    for (let position = 0; position < 64; position++) {
      const coefficient = row[base + position]!;
      if (coefficient === 0) continue;
      const value = Math.imul(coefficient, quant[position]!);
      if (value === 0) continue;
      block[position] = value;
      used |= position;
      magnitude += value < 0 ? -value : value;
    }
    if (row[base] === 0) block[0] = 0;
    return magnitude > SAFE_MAGNITUDE ? used | OVERFLOWS : used;
  }
}
