/**
 * The marker segments of a JPEG file and the state they set up, in file order.
 *
 * Source: ITU-T T.81 annex B; which faults are fatal follows libjpeg-turbo jdmarker.c `read_markers`.
 */
import { END_OF_DATA, findMarker } from './bit-window.ts';
import { corrupt, requireSupportedFrame } from './failures.ts';
import type { HuffmanSpec } from './huffman-table.ts';
import { MARKER, NATURAL_ORDER } from './markers.ts';
import { STANDARD_AC, STANDARD_DC } from './standard-tables.ts';

/** One component of the frame header (ITU-T T.81 B.2.2). */
export interface FrameComponent {
  readonly id: number;
  /** Horizontal sampling factor. */
  readonly horizontal: number;
  /** Vertical sampling factor. */
  readonly vertical: number;
  readonly quantSlot: number;
}

/** The frame header (ITU-T T.81 B.2.2). */
export interface Frame {
  readonly progressive: boolean;
  /** Arithmetic coded, not Huffman coded. */
  readonly arithmetic: boolean;
  readonly width: number;
  readonly height: number;
  readonly components: readonly FrameComponent[];
}

/** One component of a scan header, with the tables that stand in its slots where the scan starts. */
export interface ScanComponent {
  /** Index in `Frame.components`. */
  readonly index: number;
  readonly dcSpec: HuffmanSpec | undefined;
  readonly acSpec: HuffmanSpec | undefined;
  /** Numbers of the tables: of the statistics where the data is arithmetic coded. */
  readonly dcSlot: number;
  readonly acSlot: number;
  /** 64 values in natural order; undefined where the slot was never filled. */
  readonly quantTable: Uint16Array | undefined;
}

/** Conditioning of arithmetic coding by table (ITU-T T.81 B.2.4.3). */
export interface Conditioning {
  /** L and U: bounds of small DC differences. */
  readonly dcLow: Uint8Array;
  readonly dcHigh: Uint8Array;
  /** Kx: the last coefficient of the lower AC bins. */
  readonly acThreshold: Uint8Array;
}

/** A scan header (ITU-T T.81 B.2.3). */
export interface Scan {
  readonly components: readonly ScanComponent[];
  readonly spectralStart: number;
  readonly spectralEnd: number;
  readonly approxHigh: number;
  readonly approxLow: number;
  /** MCUs between restart markers; 0 for none. */
  readonly restartInterval: number;
  /** As it stands where the scan starts. */
  readonly conditioning: Conditioning;
  /** Where the entropy-coded data starts. */
  readonly dataStart: number;
}

/** What stopped `MarkerReader.next`. */
export type Stop =
  | { readonly kind: 'scan'; readonly scan: Scan }
  | { readonly kind: 'end' }
  | { readonly kind: 'out-of-data' };

const END: Stop = { kind: 'end' };
const OUT_OF_DATA: Stop = { kind: 'out-of-data' };

const TABLE_SLOTS = 4;
/** Tables of arithmetic coding, DC and AC each. */
const ARITHMETIC_SLOTS = 16;
const MAX_SCAN_COMPONENTS = 4;

/** Bytes of an APP0 that make it a JFIF segment. */
const JFIF_BYTES = 14;
/** Bytes of an APP14 that make it an Adobe segment. */
const ADOBE_BYTES = 12;

/** Reads marker segments one after another; stops at every scan. */
export class MarkerReader {
  frame: Frame | undefined;
  sawJfif = false;
  /** The colour transform of an Adobe segment; undefined where there was none. */
  adobeTransform: number | undefined;

  private readonly bytes: Uint8Array;
  private at = 0;
  private pending: number = END_OF_DATA;
  private sawStart = false;
  private scans = 0;
  private restartInterval = 0;
  private readonly quantTables: (Uint16Array | undefined)[] = [];
  private readonly dcSpecs: (HuffmanSpec | undefined)[] = [];
  private readonly acSpecs: (HuffmanSpec | undefined)[] = [];
  private conditioning = defaultConditioning();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /**
   * Reads on to the next scan, the end-of-image marker, or the end of the data.
   *
   * @throws ImageError `corrupt_image` or `unsupported_image_feature`, where libjpeg's error is fatal
   */
  next(): Stop {
    for (;;) {
      const marker = this.takeMarker();
      if (marker === END_OF_DATA) return OUT_OF_DATA;
      if (marker === MARKER.EOI) {
        if (this.scans > 0) return END;
        this.leaveTablesOnlyStream();
      } else if (marker === MARKER.SOI) this.readStart();
      else if (marker === MARKER.TEM || (marker >= MARKER.RST0 && marker <= MARKER.RST7)) continue;
      else {
        const scan = this.readSegment(marker);
        if (scan === 'cut-short') return OUT_OF_DATA;
        if (scan !== undefined) return { kind: 'scan', scan };
      }
    }
  }

  /**
   * Goes on behind a scan's data.
   *
   * @param marker the marker that ended the data, `END_OF_DATA` if none did
   * @param next where the file goes on behind it
   */
  resume(marker: number, next: number): void {
    this.pending = marker;
    this.at = next;
  }

  private takeMarker(): number {
    if (this.pending !== END_OF_DATA) {
      const marker = this.pending;
      this.pending = END_OF_DATA;
      return marker;
    }
    if (!this.sawStart) {
      const { at, bytes } = this;
      if (at + 2 > bytes.length) return END_OF_DATA;
      if (bytes[at] !== 0xff || bytes[at + 1] !== MARKER.SOI) throw corrupt(`has no start-of-image marker at ${at}`);
      this.at = at + 2;
      return MARKER.SOI;
    }
    const found = findMarker(this.bytes, this.at);
    if (found >= this.bytes.length) return END_OF_DATA;
    this.at = found + 1;
    return this.bytes[found]!;
  }

  private readStart(): void {
    if (this.sawStart) throw corrupt('has a second start-of-image marker');
    this.sawStart = true;
    this.restartInterval = 0;
    this.sawJfif = false;
    this.adobeTransform = undefined;
    this.conditioning = defaultConditioning();
  }

  /** An abbreviated stream that carries tables alone may precede the image (ITU-T T.81 B.5); its tables stay. */
  private leaveTablesOnlyStream(): void {
    if (this.frame !== undefined) throw corrupt('has a frame header (SOF) but no scan');
    this.sawStart = false;
  }

  /**
   * Reads one segment: faults that show before the file ends count, as they do in libjpeg.
   *
   * @returns the scan where the segment starts one, `cut-short` where the file ends within the segment
   */
  private readSegment(marker: number): Scan | 'cut-short' | undefined {
    const { bytes, at } = this;
    if (isFrameMarker(marker)) this.requireNewFrame(marker);
    else if (!isKnown(marker)) throw corrupt(`has an unsupported marker ff ${marker.toString(16)}`);
    else if (marker === MARKER.SOS && this.frame === undefined)
      throw corrupt('has a scan before any frame header (SOF)');
    if (at + 2 > bytes.length) return 'cut-short';
    const declared = bytes[at]! * 256 + bytes[at + 1]!;
    if (declared < 2 && !isSkipped(marker)) throw corrupt(`segment ff ${marker.toString(16)} has length ${declared}`);
    const end = at + Math.max(2, declared);
    const segment = bytes.subarray(at + 2, end);
    const complete = end <= bytes.length;
    this.at = Math.min(end, bytes.length);
    const length = Math.max(0, declared - 2);
    // The tables in front of the cut count: faults in them are faults.
    if (marker === MARKER.DHT) this.readHuffmanTables(segment, length);
    else if (marker === MARKER.DQT) this.readQuantTables(segment, length);
    if (!complete && !faultShowsEarly(marker, segment, length)) return 'cut-short';
    if (marker === MARKER.SOS) return this.readScan(segment);
    if (marker === MARKER.DRI) this.readRestartInterval(segment);
    else if (marker === MARKER.APP0) this.readApp0(segment);
    else if (marker === MARKER.APP14) this.readApp14(segment);
    else if (marker === MARKER.DAC) this.readConditioning(segment);
    else if (isFrameMarker(marker)) this.readFrame(marker, segment);
    return undefined;
  }

  private requireNewFrame(marker: number): void {
    if (this.frame !== undefined) throw corrupt('has two frame headers (SOF)');
    requireSupportedFrame(marker, 8);
  }

  private readRestartInterval(segment: Uint8Array): void {
    if (segment.length !== 2) throw corrupt(`restart interval segment has ${segment.length} bytes, not 2`);
    this.restartInterval = segment[0]! * 256 + segment[1]!;
  }

  private readApp0(segment: Uint8Array): void {
    const [j, f, i, f2, zero] = segment;
    if (segment.length >= JFIF_BYTES && j === 0x4a && f === 0x46 && i === 0x49 && f2 === 0x46 && zero === 0) {
      this.sawJfif = true;
    }
  }

  private readApp14(segment: Uint8Array): void {
    const [a, d, o, b, e] = segment;
    if (segment.length >= ADOBE_BYTES && a === 0x41 && d === 0x64 && o === 0x6f && b === 0x62 && e === 0x65) {
      this.adobeTransform = segment[11]!;
    }
  }

  /** Source: libjpeg-turbo jdmarker.c `get_sof`. */
  private readFrame(marker: number, segment: Uint8Array): void {
    requireSupportedFrame(marker, segment[0] ?? 0);
    const count = segment[5] ?? 0;
    if (segment.length !== 6 + 3 * count || count === 0) {
      throw corrupt(`frame header has ${segment.length} bytes for ${count} components`);
    }
    const height = segment[1]! * 256 + segment[2]!;
    const width = segment[3]! * 256 + segment[4]!;
    if (width === 0 || height === 0) throw corrupt(`image is empty: ${width}x${height}`, { width, height });
    const components: FrameComponent[] = [];
    for (let at = 6; at < segment.length; at += 3) {
      components.push({
        id: segment[at]!,
        horizontal: segment[at + 1]! >> 4,
        vertical: segment[at + 1]! & 15,
        quantSlot: segment[at + 2]!,
      });
    }
    const progressive = marker === MARKER.SOF2 || marker === MARKER.SOF10;
    const arithmetic = marker === MARKER.SOF9 || marker === MARKER.SOF10;
    this.frame = { progressive, arithmetic, width, height, components };
  }

  /** Source: libjpeg-turbo jdmarker.c `get_dac`: wrong values are fatal, whatever the frame's coding. */
  private readConditioning(segment: Uint8Array): void {
    if (segment.length % 2 !== 0) throw corrupt('arithmetic conditioning segment has a stray byte');
    const dcLow = this.conditioning.dcLow.slice();
    const dcHigh = this.conditioning.dcHigh.slice();
    const acThreshold = this.conditioning.acThreshold.slice();
    for (let at = 0; at < segment.length; at += 2) {
      const slot = segment[at]!;
      const value = segment[at + 1]!;
      if (slot >= 2 * ARITHMETIC_SLOTS || (slot < ARITHMETIC_SLOTS && (value & 15) > value >> 4)) {
        throw corrupt(`arithmetic conditioning is invalid: slot ${slot}, value ${value}`);
      }
      if (slot < ARITHMETIC_SLOTS) {
        dcLow[slot] = value & 15;
        dcHigh[slot] = value >> 4;
      } else acThreshold[slot - ARITHMETIC_SLOTS] = value;
    }
    this.conditioning = { dcLow, dcHigh, acThreshold };
  }

  /** Source: libjpeg-turbo jdmarker.c `get_dqt`. Stops where the file ends within the segment. */
  private readQuantTables(segment: Uint8Array, length: number): void {
    let at = 0;
    while (at < length && at < segment.length) {
      const wide = segment[at]! >> 4 !== 0;
      const slot = segment[at]! & 15;
      if (slot >= TABLE_SLOTS) throw corrupt(`quantization table ${slot} does not exist; there are 0 to 3`);
      at++;
      const end = at + (wide ? 128 : 64);
      if (end > length) throw corrupt('quantization table segment is too short');
      if (end > segment.length) return;
      const table = new Uint16Array(64);
      for (let k = 0; k < 64; k++) {
        table[NATURAL_ORDER[k]!] = wide ? segment[at + 2 * k]! * 256 + segment[at + 2 * k + 1]! : segment[at + k]!;
      }
      at = end;
      this.quantTables[slot] = table;
    }
  }

  /** Source: libjpeg-turbo jdmarker.c `get_dht`. Stops where the file ends within the segment. */
  private readHuffmanTables(segment: Uint8Array, length: number): void {
    let at = 0;
    while (length - at > 16) {
      if (at + 17 > segment.length) return;
      const slot = segment[at]!;
      const counts = new Uint8Array(17);
      counts.set(segment.subarray(at + 1, at + 17), 1);
      at += 17;
      const count = counts.reduce((sum, value) => sum + value, 0);
      if (count > 256 || count > length - at) {
        throw corrupt(`Huffman table has ${count} codes in ${length - at} bytes`);
      }
      if (at + count > segment.length) return;
      const symbols = new Uint8Array(256);
      symbols.set(segment.subarray(at, at + count));
      at += count;
      const specs = (slot & 0x10) !== 0 ? this.acSpecs : this.dcSpecs;
      const index = slot & ~0x10;
      if (index >= TABLE_SLOTS) throw corrupt(`Huffman table ${index} does not exist; there are 0 to 3`);
      specs[index] = { counts, symbols };
    }
    if (at !== length) throw corrupt('Huffman table segment has stray bytes');
  }

  /** Source: libjpeg-turbo jdmarker.c `get_sos`. */
  private readScan(segment: Uint8Array): Scan {
    const frame = this.frame!;
    const count = segment[0] ?? 0;
    if (segment.length !== 4 + 2 * count || count < 1 || count > MAX_SCAN_COMPONENTS) {
      throw corrupt(`scan header has ${segment.length} bytes for ${count} components`);
    }
    const components: ScanComponent[] = [];
    for (let i = 0; i < count; i++) {
      const id = segment[1 + 2 * i]!;
      // A slot of the scan that is taken hides the frame's component of the same number: that is how libjpeg copes with
      // components that share an id.
      const index = frame.components.findIndex((component, ci) => component.id === id && ci >= i);
      if (index < 0 || components.some((component) => component.index === index)) {
        throw corrupt(`scan names component ${id}, which the frame does not have or the scan has twice`);
      }
      const tables = segment[2 + 2 * i]!;
      components.push({
        index,
        dcSlot: tables >> 4,
        acSlot: tables & 15,
        dcSpec: this.dcSpecs[tables >> 4] ?? (frame.progressive ? undefined : STANDARD_DC[tables >> 4]),
        acSpec: this.acSpecs[tables & 15] ?? (frame.progressive ? undefined : STANDARD_AC[tables & 15]),
        quantTable: this.quantTables[frame.components[index]!.quantSlot],
      });
    }
    const [spectralStart, spectralEnd, approx] = segment.subarray(1 + 2 * count);
    this.scans++;
    return {
      components,
      spectralStart: spectralStart!,
      spectralEnd: spectralEnd!,
      approxHigh: approx! >> 4,
      approxLow: approx! & 15,
      restartInterval: this.restartInterval,
      conditioning: this.conditioning,
      dataStart: this.at,
    };
  }
}

/** What holds where a file says nothing (ITU-T T.81 F.1.4.4.1.4 and F.1.4.4.2.1). */
function defaultConditioning(): Conditioning {
  return {
    dcLow: new Uint8Array(ARITHMETIC_SLOTS),
    dcHigh: new Uint8Array(ARITHMETIC_SLOTS).fill(1),
    acThreshold: new Uint8Array(ARITHMETIC_SLOTS).fill(5),
  };
}

/** Tells whether what is there of a segment is enough to see that it is wrong. */
function faultShowsEarly(marker: number, segment: Uint8Array, length: number): boolean {
  switch (marker) {
    case MARKER.DRI:
      return length !== 2;
    case MARKER.SOS: {
      const count = segment[0];
      return count !== undefined && (length !== 4 + 2 * count || count < 1 || count > MAX_SCAN_COMPONENTS);
    }
    default:
      return false;
  }
}

function isFrameMarker(marker: number): boolean {
  // DHT and DAC lie among the frame markers; JPG (0xC8) is refused as one.
  return marker >= MARKER.SOF0 && marker <= MARKER.SOF15 && marker !== MARKER.DHT && marker !== MARKER.DAC;
}

/** Segments whose content does not have to make sense: APPn, COM, DNL. */
function isSkipped(marker: number): boolean {
  return (marker >= MARKER.APP0 && marker <= MARKER.APP15) || marker === MARKER.COM || marker === MARKER.DNL;
}

/** Segments, other than frame headers, that may occur. */
function isKnown(marker: number): boolean {
  return (
    isSkipped(marker) ||
    (marker >= MARKER.SOS && marker <= MARKER.DRI) ||
    marker === MARKER.DHT ||
    marker === MARKER.DAC
  );
}
