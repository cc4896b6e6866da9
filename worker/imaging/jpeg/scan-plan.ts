/**
 * All scans of a file with several, found before any of them is decoded, and how precise they leave the coefficients.
 *
 * Source: ITU-T T.81 G.1.1.1; libjpeg-turbo jdphuff.c `start_pass_phuff_decoder` (which scripts are fatal), jdinput.c
 * `latch_quant_tables`.
 */
import { ImageError } from '../../errors.ts';
import { END_OF_DATA } from './bit-window.ts';
import { transformReads } from './component-output.ts';
import { corrupt, truncated } from './failures.ts';
import type { Layout } from './layout.ts';
import type { MarkerReader, Scan } from './marker-reader.ts';
import { NATURAL_ORDER } from './markers.ts';
import { findScanEnd } from './scan-reader.ts';
import { checkScanTables, mcuBlocks, mcuCount, requireQuantTable, scanKind } from './scan-setup.ts';

/** Coefficients, in zigzag order, whose precision decides about smoothing: DC and nine AC. */
export const TRACKED_COEFFICIENTS = 10;

/** Furthest that a damaged band can write beyond its end: a zero run of 15. */
const MAX_OVERSHOOT = 15;

/** Scans that a file may have; encoders make 10, thorough ones 64. */
export const MAX_SCANS = 1000;

/**
 * Blocks that all scans may visit together: 230 scans of a 50 MP image at 4:2:0. A scan that says nothing takes a dozen bytes
 * of file and yet a visit to every block.
 */
export const MAX_BLOCK_VISITS = 2 ** 28;

/** How many low bits of a component's coefficients are still unknown; -1 where nothing is known. */
export interface Precision {
  /** After all scans, by zigzag index. */
  readonly current: Int8Array;
  /** Before the last scan of the component. */
  readonly previous: Int8Array;
}

/** The scans of a file, and what is known of them beforehand. */
export interface ScanPlan {
  readonly scans: readonly Scan[];
  /** Arithmetic coded, not Huffman coded. */
  readonly arithmetic: boolean;
  /** The table of each component: the one that stood in its slot when its first scan began. */
  readonly quantTables: readonly (Uint16Array | undefined)[];
  readonly precision: readonly Precision[];
}

/**
 * Reads all scan headers up to the end of the image.
 *
 * @param first the first scan, already read
 * @throws ImageError `truncated_image` where the file ends before the end-of-image marker and that is not allowed,
 *   `image_too_large` for more than `MAX_SCANS` or `MAX_BLOCK_VISITS`
 */
export function planScans(
  bytes: Uint8Array,
  headers: MarkerReader,
  layout: Layout,
  first: Scan,
  allowTruncated: boolean,
): ScanPlan {
  const scans: Scan[] = [];
  const quantTables: (Uint16Array | undefined)[] = layout.components.map(() => undefined);
  const precision = layout.components.map(
    (): Precision => ({ current: new Int8Array(64).fill(-1), previous: new Int8Array(64).fill(-1) }),
  );
  const progressive = headers.frame?.progressive === true;
  const arithmetic = headers.frame?.arithmetic === true;
  let scan = first;
  let visits = 0;
  for (;;) {
    visits += mcuBlocks(scan, layout) * mcuCount(scan, layout);
    requireBounds(scans.length + 1, visits);
    if (!arithmetic) checkScanTables(scan, scanKind(scan, progressive));
    for (const { index, quantTable } of scan.components) quantTables[index] ??= requireQuantTable(quantTable);
    if (progressive) trackPrecision(scan, scans.length === 0, precision);
    scans.push(scan);
    const end = findScanEnd(bytes, scan, mcuCount(scan, layout));
    headers.resume(end.marker, end.next);
    const stop = end.marker === END_OF_DATA ? undefined : headers.next();
    if (stop?.kind === 'scan') {
      scan = stop.scan;
      continue;
    }
    if (stop?.kind !== 'end' && !allowTruncated) {
      throw truncated(
        `ends after ${bytes.length} bytes, in or after scan ${scans.length}, without end-of-image marker`,
        {
          bytes: bytes.length,
          scans: scans.length,
        },
      );
    }
    return { scans, arithmetic, quantTables, precision };
  }
}

/**
 * The plan of an arithmetic-coded sequential file whose first scan holds every component; it reads no further.
 *
 * @throws ImageError `corrupt_image` where a quantization table is missing or an MCU has too many blocks
 */
export function planArithmeticScan(scan: Scan, layout: Layout): ScanPlan {
  requireBounds(1, mcuBlocks(scan, layout) * mcuCount(scan, layout));
  const quantTables: (Uint16Array | undefined)[] = layout.components.map(() => undefined);
  for (const { index, quantTable } of scan.components) quantTables[index] = requireQuantTable(quantTable);
  return { scans: [scan], arithmetic: true, quantTables, precision: [] };
}

function requireBounds(scans: number, visits: number): void {
  if (scans <= MAX_SCANS && visits <= MAX_BLOCK_VISITS) return;
  throw new ImageError(
    'image_too_large',
    `JPEG has ${scans} scans or more, which visit ${visits} blocks; limits are ${MAX_SCANS} and ${MAX_BLOCK_VISITS}`,
    { details: { scans, maxScans: MAX_SCANS, blockVisits: visits, maxBlockVisits: MAX_BLOCK_VISITS } },
  );
}

/** Checks a progressive scan's parameters and notes which bits it brings. */
function trackPrecision(scan: Scan, isFirst: boolean, precision: readonly Precision[]): void {
  const { spectralStart, spectralEnd, approxHigh, approxLow, components } = scan;
  const badBand =
    spectralStart === 0
      ? spectralEnd !== 0
      : spectralStart > spectralEnd || spectralEnd > 63 || components.length !== 1;
  if (badBand || (approxHigh !== 0 && approxLow !== approxHigh - 1) || approxLow > 13) {
    throw corrupt(
      `progressive scan is invalid: band ${spectralStart}..${spectralEnd}, bits ${approxHigh}..${approxLow}, ` +
        `${components.length} components`,
    );
  }
  for (const { index } of components) {
    const { current, previous } = precision[index]!;
    const last = Math.max(spectralEnd, TRACKED_COEFFICIENTS - 1);
    for (let k = Math.min(spectralStart, 1); k <= last; k++) previous[k] = isFirst ? 0 : current[k]!;
    current.fill(approxLow, spectralStart, spectralEnd + 1);
  }
}

/**
 * Chooses the scans that the output depends on. At reduced size the transforms do not read every coefficient; but a
 * refinement reads the history of its whole band, so what a chosen refinement touches is needed too.
 */
export function neededScans(plan: ScanPlan, layout: Layout, progressive: boolean): Scan[] {
  if (!progressive) return [...plan.scans];
  const needed = layout.components.map(({ blockSize }) =>
    Array.from({ length: 64 }, (_, k) => transformReads(NATURAL_ORDER[k]!, blockSize)),
  );
  const touches = (scan: Scan): boolean =>
    scan.spectralStart === 0 ||
    needed[scan.components[0]!.index]!.slice(scan.spectralStart, scan.spectralEnd + MAX_OVERSHOOT + 1).includes(true);
  for (let changed = true; changed; ) {
    changed = false;
    for (const scan of plan.scans) {
      if (scan.approxHigh === 0 || scan.spectralStart === 0 || !touches(scan)) continue;
      const band = needed[scan.components[0]!.index]!;
      for (let k = scan.spectralStart; k <= Math.min(63, scan.spectralEnd + 1); k++) {
        changed ||= !band[k]!;
        band[k] = true;
      }
    }
  }
  return plan.scans.filter(touches);
}
