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
import { type AcBand, createAcBand, decodeAcFirst, decodeAcRefine, decodeBit, decodeDcFirst } from './progressive.ts';
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
  private run = 0;

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
        const row = rows[target.index]!;
        const { horizontal, vertical, paddedWidthInBlocks } = target.layout;
        for (let y = 0; y < vertical; y++) {
          const b = y * paddedWidthInBlocks + mcu * horizontal;
          for (let x = 0; x < horizontal; x++) this.decodeDcOrBlock(target, c, row, b + x);
        }
      }
    }
  }

  private decodeComponentRow(mcuRow: number, row: CoefficientRow): void {
    const target = this.targets[0]!;
    const { vertical, heightInBlocks, widthInBlocks, paddedWidthInBlocks } = target.layout;
    const blockRows = Math.min(vertical, heightInBlocks - mcuRow * vertical);
    for (let y = 0; y < blockRows; y++) {
      const firstBlock = y * paddedWidthInBlocks;
      for (let x = 0; x < widthInBlocks; x++) {
        if (this.run > 0 && this.kind === 'ac-first') {
          this.noteGoodRow(mcuRow);
          const passed = this.reader.passMcus(Math.min(this.run, widthInBlocks - x));
          this.run -= passed;
          x += passed;
          if (x >= widthInBlocks) break;
        }
        if (this.nextMcu(mcuRow)) this.decodeSingle(target, row, firstBlock + x);
        else if (this.reader.finished) return;
      }
    }
  }

  private nextMcu(mcuRow: number): boolean {
    const { reader } = this;
    this.noteGoodRow(mcuRow);
    const hasData = reader.nextMcu();
    if (reader.interval !== this.interval) {
      this.interval = reader.interval;
      this.predictors.fill(0);
      this.run = 0;
    }
    return hasData;
  }

  private noteGoodRow(mcuRow: number): void {
    if (this.trackGoodRows && this.reader.sufficient) this.lastGoodRow = mcuRow;
  }

  private decodeSingle(target: Target, row: CoefficientRow, b: number): void {
    const { bits } = this.reader;
    if (this.kind === 'ac-first') this.run = decodeAcFirst(bits, this.band!, row, b);
    else if (this.kind === 'ac-refine') this.run = decodeAcRefine(bits, this.band!, this.run, row, b);
    else this.decodeDcOrBlock(target, 0, row, b);
  }

  private decodeDcOrBlock(target: Target, c: number, row: CoefficientRow, b: number): void {
    const { bits } = this.reader;
    const { coefficients } = row;
    if (this.kind === 'dc-first') {
      coefficients[b * 64] = decodeDcFirst(bits, target.dcTable!, this.predictors, c, this.scan.approxLow);
    } else if (this.kind === 'dc-refine') {
      if (decodeBit(bits) !== 0) coefficients[b * 64] = coefficients[b * 64]! | (1 << this.scan.approxLow);
    } else {
      decodeBlock(bits, target.dcTable!, target.acTable!, UNSCALED, ZIGZAG, this.predictors, c, coefficients, b * 64);
    }
  }
}
