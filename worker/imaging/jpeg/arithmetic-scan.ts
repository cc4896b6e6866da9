/**
 * One arithmetic-coded scan: decodes its share of a row of MCUs into that row's coefficients.
 *
 * Source: ITU-T T.81 F.2.4 and G.2.3; what damaged data decodes to follows libjpeg-turbo jdarith.c: a scan in which a value
 * or a run grows too large leaves its coefficients alone until the next restart.
 */
import { ArithmeticDecoder, FIXED_STATE } from './arithmetic-decoder.ts';
import { END_OF_DATA } from './bit-window.ts';
import type { CoefficientRow } from './coefficient-row.ts';
import type { Layout } from './layout.ts';
import type { Conditioning, Scan, ScanComponent } from './marker-reader.ts';
import { nextSegment, truncatedScan } from './scan-reader.ts';
import { mcuCount, type ScanKind, scanKind, usesAcTables, usesDcTables } from './scan-setup.ts';

/** Bins of a DC table, of which T.81 F.1.4.4.1.3 uses 49, and of an AC table, of which F.1.4.4.2 uses 245. */
const DC_BINS = 64;
const AC_BINS = 256;

/** First bin of the magnitude categories: of DC (T.81 table F.4), of AC up to Kx and beyond (table F.5). */
const DC_MAGNITUDE = 20;
const AC_MAGNITUDE_LOW = 189;
const AC_MAGNITUDE_HIGH = 217;

/** Distance from a magnitude category's bin to that of its bits. */
const MAGNITUDE_BITS = 14;

/** A magnitude that no coefficient has. */
const MAGNITUDE_OVERFLOW = 0x8000;

/** Bytes that a scan allocates, apart from rows. */
export const ARITHMETIC_SCAN_BYTES = 4 * (DC_BINS + AC_BINS) + 1024;

/** Decodes a scan a row of MCUs at a time. */
export class ArithmeticScan {
  private readonly scan: Scan;
  private readonly layout: Layout;
  private readonly kind: ScanKind;
  private readonly bytes: Uint8Array;
  private readonly allowTruncated: boolean;
  private readonly decoder: ArithmeticDecoder;
  private readonly dcBins = new Map<number, Uint8Array>();
  private readonly acBins = new Map<number, Uint8Array>();
  private readonly fixedBin = Uint8Array.of(FIXED_STATE);
  private readonly predictors: Int32Array;
  private readonly contexts: Int32Array;
  private mcusRead = 0;
  private mcusToRestart: number;
  private restarts = 0;
  private failed = false;
  private row = 0;

  constructor(bytes: Uint8Array, scan: Scan, layout: Layout, progressive: boolean, allowTruncated: boolean) {
    this.bytes = bytes;
    this.scan = scan;
    this.layout = layout;
    this.allowTruncated = allowTruncated;
    this.kind = scanKind(scan, progressive);
    this.predictors = new Int32Array(scan.components.length);
    this.contexts = new Int32Array(scan.components.length);
    this.mcusToRestart = scan.restartInterval;
    for (const { dcSlot, acSlot } of scan.components) {
      if (usesDcTables(this.kind)) this.dcBins.set(dcSlot, new Uint8Array(DC_BINS));
      if (usesAcTables(this.kind)) this.acBins.set(acSlot, new Uint8Array(AC_BINS));
    }
    this.decoder = new ArithmeticDecoder(bytes);
    this.decoder.startSegment(scan.dataStart);
  }

  /** The last row of MCUs that was decoded: libjpeg's arithmetic decoder never reports that its data ran out. */
  get lastGoodRow(): number {
    return this.row;
  }

  /** Decodes row `mcuRow` of the MCUs into `rows`, one entry per component of the frame. */
  decodeRow(mcuRow: number, rows: readonly CoefficientRow[]): void {
    this.row = mcuRow;
    const { scan, layout } = this;
    if (scan.components.length > 1) {
      for (let mcu = 0; mcu < layout.mcusPerRow; mcu++) this.decodeInterleavedMcu(mcu, rows);
      return;
    }
    const component = scan.components[0]!;
    const { vertical, heightInBlocks, widthInBlocks, paddedWidthInBlocks } = layout.components[component.index]!;
    const { coefficients } = rows[component.index]!;
    const blockRows = Math.min(vertical, heightInBlocks - mcuRow * vertical);
    for (let y = 0; y < blockRows; y++) {
      const first = y * paddedWidthInBlocks;
      for (let b = first; b < first + widthInBlocks; b++) {
        if (this.startMcu()) this.decodeBlock(component, 0, coefficients, b * 64);
        this.requireData();
      }
    }
  }

  private decodeInterleavedMcu(mcu: number, rows: readonly CoefficientRow[]): void {
    const { components } = this.scan;
    let decodes = this.startMcu();
    for (let c = 0; c < components.length && decodes; c++) {
      const component = components[c]!;
      const { horizontal, vertical, paddedWidthInBlocks } = this.layout.components[component.index]!;
      const { coefficients } = rows[component.index]!;
      for (let y = 0; y < vertical && decodes; y++) {
        const first = y * paddedWidthInBlocks + mcu * horizontal;
        for (let b = first; b < first + horizontal && decodes; b++) {
          decodes = this.decodeBlock(component, c, coefficients, b * 64);
        }
      }
    }
    this.requireData();
  }

  /** Gets ready for an MCU; false where the data before it was damaged. */
  private startMcu(): boolean {
    if (this.scan.restartInterval > 0) {
      if (this.mcusToRestart === 0) this.restart();
      this.mcusToRestart--;
    }
    this.mcusRead++;
    return !this.failed;
  }

  private requireData(): void {
    if (this.decoder.ranOut && !this.allowTruncated) throw this.truncated(this.mcusRead - 1);
  }

  private restart(): void {
    const { decoder } = this;
    const marker = decoder.findEnd();
    const next = nextSegment(this.bytes, marker, decoder.position, this.restarts & 7);
    if (next.marker === END_OF_DATA && next.empty && !this.allowTruncated) throw this.truncated(this.mcusRead);
    if (next.empty) decoder.startEmptySegment(next.marker, next.at);
    else decoder.startSegment(next.at);
    for (const bins of this.dcBins.values()) bins.fill(0);
    for (const bins of this.acBins.values()) bins.fill(0);
    this.predictors.fill(0);
    this.contexts.fill(0);
    this.failed = false;
    this.restarts++;
    this.mcusToRestart = this.scan.restartInterval;
  }

  private truncated(complete: number): Error {
    return truncatedScan(this.bytes.length, complete, mcuCount(this.scan, this.layout));
  }

  /** Decodes what the scan holds of one block; false where its data is damaged. */
  private decodeBlock(component: ScanComponent, c: number, coefficients: Int16Array, at: number): boolean {
    const { spectralStart, spectralEnd, approxLow } = this.scan;
    let intact = true;
    switch (this.kind) {
      case 'sequential':
        intact = this.decodeDc(component, c) && this.decodeAcAfterDc(component, c, coefficients, at);
        break;
      case 'dc-first':
        intact = this.decodeDc(component, c);
        if (intact) coefficients[at] = this.predictors[c]! << approxLow;
        break;
      case 'dc-refine':
        if (this.decoder.decode(this.fixedBin, 0) !== 0) coefficients[at] = coefficients[at]! | (1 << approxLow);
        break;
      case 'ac-first':
        intact = this.decodeAc(component, coefficients, at, spectralStart, spectralEnd, approxLow);
        break;
      case 'ac-refine':
        intact = this.refineAc(component, coefficients, at, spectralStart, spectralEnd, approxLow);
        break;
    }
    this.failed = !intact;
    return intact;
  }

  private decodeAcAfterDc(component: ScanComponent, c: number, coefficients: Int16Array, at: number): boolean {
    coefficients[at] = this.predictors[c]!;
    return this.decodeAc(component, coefficients, at, 1, 63, 0);
  }

  /** Adds a DC difference to its prediction. Source: T.81 figures F.19 to F.24. */
  private decodeDc({ dcSlot }: ScanComponent, c: number): boolean {
    const { decoder, contexts, predictors } = this;
    const bins = this.dcBins.get(dcSlot)!;
    let bin = contexts[c]!;
    if (decoder.decode(bins, bin) === 0) {
      contexts[c] = 0;
      return true;
    }
    const negative = decoder.decode(bins, bin + 1);
    bin += 2 + negative;
    let magnitude = decoder.decode(bins, bin);
    if (magnitude !== 0) {
      bin = DC_MAGNITUDE;
      while (decoder.decode(bins, bin) !== 0) {
        magnitude <<= 1;
        if (magnitude === MAGNITUDE_OVERFLOW) return false;
        bin++;
      }
    }
    contexts[c] = dcContext(this.scan.conditioning, dcSlot, magnitude, negative);
    const value = this.decodeMagnitudeBits(bins, bin, magnitude);
    // 16 bits, as the reference decoder keeps them.
    predictors[c] = (predictors[c]! + (negative !== 0 ? -value : value)) & 0xffff;
    return true;
  }

  /** Decodes a band of AC coefficients for the first time. Source: T.81 figures F.20 to F.24. */
  private decodeAc(
    { acSlot }: ScanComponent,
    coefficients: Int16Array,
    at: number,
    start: number,
    end: number,
    low: number,
  ): boolean {
    const { decoder } = this;
    const bins = this.acBins.get(acSlot)!;
    const threshold = this.scan.conditioning.acThreshold[acSlot]!;
    for (let k = start; k <= end; k++) {
      let bin = 3 * (k - 1);
      if (decoder.decode(bins, bin) !== 0) break;
      while (decoder.decode(bins, bin + 1) === 0) {
        bin += 3;
        if (++k > end) return false;
      }
      const negative = decoder.decode(this.fixedBin, 0);
      bin += 2;
      let magnitude = decoder.decode(bins, bin);
      if (magnitude !== 0 && decoder.decode(bins, bin) !== 0) {
        magnitude <<= 1;
        bin = k <= threshold ? AC_MAGNITUDE_LOW : AC_MAGNITUDE_HIGH;
        while (decoder.decode(bins, bin) !== 0) {
          magnitude <<= 1;
          if (magnitude === MAGNITUDE_OVERFLOW) return false;
          bin++;
        }
      }
      const value = this.decodeMagnitudeBits(bins, bin, magnitude);
      coefficients[at + k] = (negative !== 0 ? -value : value) << low;
    }
    return true;
  }

  /** Decodes one more bit of a band of AC coefficients. Source: T.81 figure G.10. */
  private refineAc(
    { acSlot }: ScanComponent,
    coefficients: Int16Array,
    at: number,
    start: number,
    end: number,
    low: number,
  ): boolean {
    const { decoder } = this;
    const bins = this.acBins.get(acSlot)!;
    const bit = 1 << low;
    let lastKnown = end;
    while (lastKnown > 0 && coefficients[at + lastKnown] === 0) lastKnown--;
    for (let k = start; k <= end; k++) {
      let bin = 3 * (k - 1);
      if (k > lastKnown && decoder.decode(bins, bin) !== 0) break;
      for (;;) {
        const value = coefficients[at + k]!;
        if (value !== 0) {
          if (decoder.decode(bins, bin + 2) !== 0) coefficients[at + k] = value < 0 ? value - bit : value + bit;
          break;
        }
        if (decoder.decode(bins, bin + 1) !== 0) {
          coefficients[at + k] = decoder.decode(this.fixedBin, 0) !== 0 ? -bit : bit;
          break;
        }
        bin += 3;
        if (++k > end) return false;
      }
    }
    return true;
  }

  /** Decodes the bits below the leading one of a magnitude; returns the magnitude, 1 and more. */
  private decodeMagnitudeBits(bins: Uint8Array, category: number, leading: number): number {
    let value = leading;
    for (let bit = leading >> 1; bit !== 0; bit >>= 1) {
      if (this.decoder.decode(bins, category + MAGNITUDE_BITS) !== 0) value |= bit;
    }
    return value + 1;
  }
}

/** The bin that the next DC difference starts with (T.81 F.1.4.4.1.2): by how large this one was. */
function dcContext(conditioning: Conditioning, slot: number, magnitude: number, negative: number): number {
  if (magnitude < (1 << conditioning.dcLow[slot]!) >> 1) return 0;
  return (magnitude > (1 << conditioning.dcHigh[slot]!) >> 1 ? 12 : 4) + negative * 4;
}
