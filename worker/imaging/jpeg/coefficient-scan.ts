/**
 * One scan of a file with several: decodes its share of a row of MCUs into that row's coefficients.
 *
 * The scans of a file run side by side, each with its own place in the data, so that one row of coefficients is enough: a
 * block's coefficients depend on that block in the earlier scans and on nothing else (ITU-T T.81 G.1.1.1).
 */
import type { CoefficientRow } from './coefficient-row.ts';
import { buildHuffmanTable, type HuffmanTable } from './huffman-table.ts';
import type { ComponentLayout, Layout } from './layout.ts';
import type { Scan } from './marker-reader.ts';
import { type AcBand, createAcBand, decodeAcFirst, decodeAcRefine } from './progressive-ac.ts';
import { decodeBits, decodeDcFirst } from './progressive-dc.ts';
import type { ScanReader } from './scan-reader.ts';
import { requireHuffmanSpec, type ScanKind, scanKind, usesDcTables } from './scan-setup.ts';
import { decodeBlock } from './sequential.ts';

/** Multipliers that leave coefficients as they are. */
const UNSCALED = new Int32Array(80).fill(1);

/** Zigzag order as it is; what runs past the block's end lands on its last coefficient. */
const ZIGZAG = Uint8Array.from({ length: 80 }, (_, k) => Math.min(k, 63));

interface Target {
  readonly index: number;
  readonly layout: ComponentLayout;
  readonly dcTable: HuffmanTable | undefined;
  /** Of sequential scans. */
  readonly acTable: HuffmanTable | undefined;
}

/** Decodes a scan a row of MCUs at a time. */
export class CoefficientScan {
  /** The last row of MCUs in which an MCU began with data to read; 0 at first. Only kept where asked for. */
  lastGoodRow = 0;

  private readonly scan: Scan;
  private readonly layout: Layout;
  private readonly reader: ScanReader;
  private readonly kind: ScanKind;
  private readonly targets: readonly Target[];
  private readonly predictors: Int32Array;
  private readonly trackGoodRows: boolean;
  /** Of progressive scans of AC coefficients. */
  private readonly band: AcBand | undefined;
  private interval = 0;

  constructor(scan: Scan, layout: Layout, progressive: boolean, reader: ScanReader, trackGoodRows: boolean) {
    this.scan = scan;
    this.layout = layout;
    this.reader = reader;
    this.trackGoodRows = trackGoodRows;
    this.kind = scanKind(scan, progressive);
    const needsDc = usesDcTables(this.kind);
    this.targets = scan.components.map(({ index, dcSpec, acSpec }) => ({
      index,
      layout: layout.components[index]!,
      dcTable: needsDc ? buildHuffmanTable(requireHuffmanSpec(dcSpec), true) : undefined,
      acTable: this.kind === 'sequential' ? buildHuffmanTable(requireHuffmanSpec(acSpec), false) : undefined,
    }));
    if (this.kind === 'ac-first' || this.kind === 'ac-refine') {
      const spec = requireHuffmanSpec(scan.components[0]!.acSpec);
      this.band = createAcBand(spec, scan.spectralStart, scan.spectralEnd, scan.approxLow);
    }
    this.predictors = new Int32Array(scan.components.length);
  }

  /** Decodes row `mcuRow` of the MCUs into `rows`, one entry a component of the frame. */
  decodeRow(mcuRow: number, rows: readonly CoefficientRow[]): void {
    if (this.targets.length > 1) this.decodeInterleavedRow(mcuRow, rows);
    else this.decodeComponentRow(mcuRow, rows[this.targets[0]!.index]!);
  }

  private decodeInterleavedRow(mcuRow: number, rows: readonly CoefficientRow[]): void {
    const { layout, targets } = this;
    for (let mcu = 0; mcu < layout.mcusPerRow; mcu++) {
      if (!this.nextMcu(mcuRow)) {
        if (this.reader.finished) return;
        continue;
      }
      for (let c = 0; c < targets.length; c++) {
        const target = targets[c]!;
        const { horizontal, vertical, paddedWidthInBlocks } = target.layout;
        for (let y = 0; y < vertical; y++) {
          this.decodeDcOrBlocks(target, c, rows[target.index]!, y * paddedWidthInBlocks + mcu * horizontal, horizontal);
        }
      }
    }
  }

  private decodeComponentRow(mcuRow: number, row: CoefficientRow): void {
    const target = this.targets[0]!;
    const { vertical, heightInBlocks, widthInBlocks, paddedWidthInBlocks } = target.layout;
    const blockRows = Math.min(vertical, heightInBlocks - mcuRow * vertical);
    for (let y = 0; y < blockRows; y++) {
      const first = y * paddedWidthInBlocks;
      if (this.band !== undefined) this.decodeAcRow(this.band, mcuRow, row, first, first + widthInBlocks);
      else {
        for (let b = first; b < first + widthInBlocks; b++) {
          if (this.nextMcu(mcuRow)) this.decodeDcOrBlocks(target, 0, row, b, 1);
        }
      }
    }
  }

  private decodeAcRow(band: AcBand, mcuRow: number, row: CoefficientRow, first: number, end: number): void {
    const { reader } = this;
    for (let b = first; b < end; ) {
      this.noteGoodRow(mcuRow);
      let count = reader.startMcus(end - b);
      this.noteRestart();
      if (!reader.starved) {
        if (this.kind === 'ac-first') count = decodeAcFirst(reader.bits, band, row, b, count);
        else count = decodeAcRefine(reader.bits, band, row, b, count);
      }
      reader.passMcus(count);
      b += count;
    }
  }

  private nextMcu(mcuRow: number): boolean {
    this.noteGoodRow(mcuRow);
    const hasData = this.reader.nextMcu();
    this.noteRestart();
    return hasData;
  }

  private noteGoodRow(mcuRow: number): void {
    if (this.trackGoodRows && this.reader.sufficient) this.lastGoodRow = mcuRow;
  }

  private noteRestart(): void {
    if (this.reader.interval === this.interval) return;
    this.interval = this.reader.interval;
    this.predictors.fill(0);
    if (this.band !== undefined) this.band.run = 0;
  }

  /** Decodes `count` blocks of a scan that holds DC coefficients, from `first` on. */
  private decodeDcOrBlocks(target: Target, c: number, row: CoefficientRow, first: number, count: number): void {
    const { bits } = this.reader;
    const { coefficients } = row;
    const { approxLow } = this.scan;
    if (this.kind === 'dc-first') {
      for (let b = first; b < first + count; b++) {
        coefficients[b * 64] = decodeDcFirst(bits, target.dcTable!, this.predictors, c, approxLow);
      }
    } else if (this.kind === 'dc-refine') {
      const set = decodeBits(bits, count);
      for (let i = 0; i < count; i++) {
        const at = (first + i) * 64;
        coefficients[at] = coefficients[at]! | (((set >> (count - 1 - i)) & 1) << approxLow);
      }
    } else {
      const { dcTable, acTable } = target;
      for (let at = first * 64; at < (first + count) * 64; at += 64) {
        decodeBlock(bits, dcTable!, acTable!, UNSCALED, ZIGZAG, this.predictors, c, coefficients, at);
      }
    }
  }
}
