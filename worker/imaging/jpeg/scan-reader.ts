/**
 * A scan's entropy-coded data: its segments between restart markers, and what happens when one of them ends too early.
 *
 * Source: ITU-T T.81 E.2.4 and F.2.2.5; recovery of libjpeg-turbo jdhuff.c `process_restart` and jdmarker.c
 * `read_restart_marker`, `jpeg_resync_to_restart`.
 */
import { BitWindow, END_OF_DATA, findMarker, POSITION } from './bit-window.ts';
import { truncated } from './failures.ts';
import type { Scan } from './marker-reader.ts';
import { MARKER } from './markers.ts';

/** Where a segment starts, or that there is none: the marker at hand then still counts. */
export interface Segment {
  readonly empty: boolean;
  readonly marker: number;
  readonly at: number;
}

/** Reads the MCUs of one scan in order. */
export class ScanReader {
  readonly bits: BitWindow;
  /** Restart intervals begun so far; decoders reset their predictions when it changes. */
  interval = 0;

  private readonly bytes: Uint8Array;
  private readonly restartInterval: number;
  private readonly mcuCount: number;
  private readonly allowTruncated: boolean;
  private mcusToRestart: number;
  private mcusRead = 0;
  private outOfData = false;
  private segmentStart: number;
  private segmentMcu = 0;

  /**
   * @param windowBytes size of the window over the data
   * @param mcuBytes the most bytes that one MCU can take
   */
  constructor(
    bytes: Uint8Array,
    scan: Scan,
    mcuCount: number,
    windowBytes: number,
    mcuBytes: number,
    allowTruncated: boolean,
  ) {
    this.bytes = bytes;
    this.restartInterval = scan.restartInterval;
    this.mcuCount = mcuCount;
    this.allowTruncated = allowTruncated;
    this.mcusToRestart = scan.restartInterval;
    this.bits = new BitWindow(bytes, windowBytes, mcuBytes);
    this.segmentStart = scan.dataStart;
    this.bits.startSegment(scan.dataStart);
  }

  /**
   * To be called before every MCU.
   *
   * @returns false where there is no data for it: its coefficients then stay as they are
   * @throws ImageError `truncated_image` where the file ended and that is not allowed
   */
  nextMcu(): boolean {
    const { bits } = this;
    this.mcusRead++;
    if (this.restartInterval > 0) {
      if (this.mcusToRestart === 0) this.restart();
      this.mcusToRestart--;
    }
    if (bits.state[POSITION]! >= bits.guard && !this.outOfData && !bits.prepare()) this.runOut(this.mcusRead - 2);
    return !this.outOfData;
  }

  /**
   * Gets ready for several MCUs at once, in place of `nextMcu`; to be followed by `passMcus`.
   *
   * @returns how many of at most `wanted` may be decoded, or passed over where the reader is `starved`
   */
  startMcus(wanted: number): number {
    const { bits } = this;
    let ready = wanted;
    if (this.restartInterval > 0) {
      if (this.mcusToRestart === 0) this.restart();
      ready = Math.min(wanted, this.mcusToRestart);
    }
    if (this.outOfData || bits.state[POSITION]! < bits.guard) return ready;
    if (!bits.prepare()) {
      this.runOut(this.mcusRead - 1);
      return ready;
    }
    // Near the end of the data every MCU has to be asked for.
    return bits.state[POSITION]! < bits.guard ? ready : 1;
  }

  /** Counts MCUs that were decoded or passed over after `startMcus`. */
  passMcus(count: number): void {
    this.mcusRead += count;
    if (this.restartInterval > 0) this.mcusToRestart -= count;
  }

  /** True where there is no data for the MCU at hand. */
  get starved(): boolean {
    return this.outOfData;
  }

  /** True where no MCU up to the end of the scan has data: nothing is left, and no restart is to come. */
  get finished(): boolean {
    return this.outOfData && this.restartInterval === 0;
  }

  /** True where the data read so far was all there. */
  get sufficient(): boolean {
    return !this.outOfData && !this.bits.exhausted();
  }

  /**
   * To be called after the last MCU.
   *
   * @returns the marker behind the scan's data, `END_OF_DATA` for the end of the file; `bits.sourceNext` tells where it ends
   */
  finish(): number {
    const { bits } = this;
    if (bits.exhausted()) this.runOut(this.mcusRead - 1);
    return bits.findEnd();
  }

  /** Bits of the last segment that were not taken; to be asked for after `finish`, where the file ended the segment. */
  get bitsLeft(): number {
    return this.bits.bitsLeft;
  }

  /** The segment at hand, to be asked for after the last MCU. */
  get lastSegment(): { readonly start: number; readonly mcus: number; readonly restarts: boolean } {
    return {
      start: this.segmentStart,
      mcus: this.mcuCount - this.segmentMcu,
      restarts: this.restartInterval > 0,
    };
  }

  /** Notes that the data did not last for the latest MCU; `complete` of them came before it. */
  private runOut(complete: number): void {
    this.outOfData = true;
    if (this.bits.marker === END_OF_DATA && !this.allowTruncated) {
      throw truncatedScan(this.bytes.length, Math.max(0, complete), this.mcuCount);
    }
  }

  private restart(): void {
    const { bits } = this;
    if (!this.outOfData && bits.exhausted()) this.runOut(this.mcusRead - 2);
    const marker = bits.findEnd();
    const next = nextSegment(this.bytes, marker, bits.sourceNext, this.interval & 7);
    if (next.marker === END_OF_DATA && next.empty && !this.allowTruncated) {
      throw truncatedScan(this.bytes.length, this.mcusRead - 1, this.mcuCount);
    }
    if (next.empty) {
      bits.startEmptySegment(next.marker, next.at);
    } else {
      bits.startSegment(next.at);
      this.segmentStart = next.at;
      this.segmentMcu = this.mcusRead - 1;
      this.outOfData = false;
    }
    this.interval++;
    this.mcusToRestart = this.restartInterval;
  }
}

/** What a scan's data ends with. */
export interface ScanEnd {
  /** The marker behind it, `END_OF_DATA` for the end of the file. */
  readonly marker: number;
  /** Where the file goes on behind that marker. */
  readonly next: number;
}

/** Finds the end of a scan's data without decoding: only markers and the number of restarts decide where it is. */
export function findScanEnd(bytes: Uint8Array, scan: Scan, mcuCount: number): ScanEnd {
  const { restartInterval } = scan;
  const restarts = restartInterval > 0 ? Math.ceil(mcuCount / restartInterval) - 1 : 0;
  let segment: Segment = { empty: false, marker: END_OF_DATA, at: scan.dataStart };
  for (let i = 0; ; i++) {
    let { marker, at } = segment;
    if (!segment.empty) {
      const found = findMarker(bytes, at);
      marker = found < bytes.length ? bytes[found]! : END_OF_DATA;
      at = Math.min(found + 1, bytes.length);
    }
    const pastRestarts = marker < MARKER.RST0 || marker > MARKER.RST7;
    if (i >= restarts || (pastRestarts && (marker === END_OF_DATA || marker >= MARKER.SOF0))) {
      return { marker, next: at };
    }
    segment = nextSegment(bytes, marker, at, i & 7);
  }
}

/** The error of a file that ends within a scan. */
export function truncatedScan(bytes: number, mcusRead: number, mcuCount: number): Error {
  return truncated(`ends after ${bytes} bytes, with ${mcusRead} of ${mcuCount} MCUs of a scan`, {
    bytes,
    mcus: mcusRead,
    expectedMcus: mcuCount,
  });
}

/**
 * Decides how to go on at a restart.
 *
 * @param marker the marker that ended the last segment
 * @param at where the file goes on behind it
 * @param expected number of the restart marker that should be there, 0 to 7
 */
export function nextSegment(bytes: Uint8Array, marker: number, at: number, expected: number): Segment {
  let found = marker;
  let next = at;
  for (;;) {
    if (found >= MARKER.RST0 && found <= MARKER.RST7) {
      const ahead = (found - MARKER.RST0 - expected) & 7;
      // One of the next two: the expected one was lost, its segment is empty.
      if (ahead === 1 || ahead === 2) return { empty: true, marker: found, at: next };
      // The expected one, or one too far off to mean anything: go on behind it.
      if (ahead < 6) return { empty: false, marker: found, at: next };
    } else if (found === END_OF_DATA || found >= MARKER.SOF0) {
      return { empty: true, marker: found, at: next };
    }
    // One of the last two, or no marker at all: look further.
    const further = findMarker(bytes, next);
    found = further < bytes.length ? bytes[further]! : END_OF_DATA;
    next = Math.min(further + 1, bytes.length);
  }
}
