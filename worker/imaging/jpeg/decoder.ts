/**
 * JPEG to RGB8 rows: baseline, extended sequential and progressive, 8 bits, Huffman or arithmetic coded.
 *
 * Pixels equal libjpeg-turbo's as Pillow uses it (accurate integer inverse DCT, fancy upsampling, block smoothing), damaged
 * files included; so do the refusals. Pure: bytes in, rows out, nothing kept.
 */
import type { DecodeOptions, RowSink } from '../image.ts';
import { BitWindow, END_OF_DATA } from './bit-window.ts';
import { guessColorSpace } from './color.ts';
import { corrupt, truncated } from './failures.ts';
import { type Layout, layOut } from './layout.ts';
import { AMPLE_BITS, type BlockTables, completesWithoutMarker } from './lookahead.ts';
import { MarkerReader, type Scan } from './marker-reader.ts';
import { decodeMultiScan, multiScanBytes } from './multi-scan.ts';
import { readJpegInfo } from './probe.ts';
import { RowOutput } from './row-output.ts';
import { planArithmeticScan, planScans, type ScanPlan } from './scan-plan.ts';
import { findScanEnd, ScanReader } from './scan-reader.ts';
import { mcuBlocks, mcuCount, requireHuffmanSpec } from './scan-setup.ts';
import { MAX_BLOCK_BYTES } from './sequential.ts';
import { decodeSingleScan, singleScanBytes } from './single-scan.ts';

export { readJpegInfo } from './probe.ts';

/** Size of the window over the data of a single scan. */
const WINDOW_BYTES = 1 << 15;

/** Headers, tables and objects of no account of their own. */
const FIXED_BYTES = 1 << 16;

/** What stands before the first scan's data. */
interface Start {
  readonly headers: MarkerReader;
  readonly layout: Layout;
  readonly scan: Scan;
  readonly progressive: boolean;
  /** Undefined where the first scan is the only one and Huffman coded. */
  readonly plan: ScanPlan | undefined;
}

/**
 * Tells how many bytes `decodeJpeg` will allocate at most, the sink's aside. Reads all headers, decodes nothing.
 *
 * Sequential files with one scan need memory by their width alone, all others too but for a window a scan; only progressive
 * files whose coefficients stay incomplete take 2 bytes more for every 64 samples.
 *
 * @throws ImageError as `decodeJpeg` does for faults of the headers
 */
export function estimateJpegBytes(bytes: Uint8Array, options: DecodeOptions): number {
  const { layout, scan, progressive, plan } = start(bytes, options);
  const decoding =
    plan === undefined
      ? singleScanBytes(scan, layout) + BitWindow.bytes(WINDOW_BYTES, mcuBlocks(scan, layout) * MAX_BLOCK_BYTES)
      : multiScanBytes(plan, layout, progressive);
  return FIXED_BYTES + RowOutput.bytes(layout) + decoding;
}

/**
 * Decodes a file and pushes its rows, RGB8, in stored order.
 *
 * At `scaleDenominator` n the inverse DCT itself makes fewer samples; the image is `ceil(width / n)` x `ceil(height / n)`.
 *
 * @param sink receives `start` once and then all rows; where decoding fails, it may have got some of them
 * @throws ImageError `corrupt_image`, `unsupported_image_feature`, or `truncated_image` where the file ends too early and
 *   `allowTruncated` is not set; with it, what is missing is filled as libjpeg does
 */
export function decodeJpeg(bytes: Uint8Array, sink: RowSink, options: DecodeOptions): void {
  const { headers, layout, scan, progressive, plan } = start(bytes, options);
  const allowTruncated = options.allowTruncated === true;
  const output = new RowOutput(layout, guessColorSpace(headers), sink);
  sink.start(layout.outputWidth, layout.outputHeight);
  if (plan !== undefined) {
    decodeMultiScan(bytes, plan, layout, progressive, allowTruncated, output);
    if (hasWholeScan(headers, scan)) {
      const end = findScanEnd(bytes, scan, mcuCount(scan, layout));
      checkTrailer(headers, end.marker, end.next);
    }
    return;
  }
  const mcuBytes = mcuBlocks(scan, layout) * MAX_BLOCK_BYTES;
  const reader = new ScanReader(bytes, scan, mcuCount(scan, layout), WINDOW_BYTES, mcuBytes, allowTruncated);
  decodeSingleScan(layout, scan, reader, output);
  const marker = reader.finish();
  if (marker === END_OF_DATA) {
    if (!allowTruncated && reader.bitsLeft < AMPLE_BITS) requireCompletion(bytes, scan, layout, reader);
    return;
  }
  checkTrailer(headers, marker, reader.bits.sourceNext);
}

/** What follows the only scan up to the end-of-image marker must make sense too; that the marker is there is not asked for. */
function checkTrailer(headers: MarkerReader, marker: number, next: number): void {
  if (marker === END_OF_DATA) return;
  headers.resume(marker, next);
  if (headers.next().kind === 'scan') throw corrupt('has a second scan, but its first one held all components');
}

/** True where the first scan is the only one: sequential, with every component of the frame. */
function hasWholeScan({ frame }: MarkerReader, scan: Scan): boolean {
  return frame !== undefined && !frame.progressive && scan.components.length === frame.components.length;
}

/** Refuses files that end right behind their data where the reference decoder does. */
function requireCompletion(bytes: Uint8Array, scan: Scan, layout: Layout, reader: ScanReader): void {
  const blocks = scan.components.flatMap(({ index, dcSpec, acSpec }) => {
    const { horizontal, vertical } = layout.components[index]!;
    const tables = { dc: requireHuffmanSpec(dcSpec), ac: requireHuffmanSpec(acSpec) };
    return new Array<BlockTables>(scan.components.length === 1 ? 1 : horizontal * vertical).fill(tables);
  });
  if (completesWithoutMarker(bytes, { ...reader.lastSegment, blocks })) return;
  throw truncated(`ends after ${bytes.length} bytes, right behind its last MCU, without end-of-image marker`, {
    bytes: bytes.length,
  });
}

function start(bytes: Uint8Array, options: DecodeOptions): Start {
  readJpegInfo(bytes);
  const headers = new MarkerReader(bytes);
  const stop = headers.next();
  const { frame } = headers;
  if (stop.kind !== 'scan' || frame === undefined) {
    throw truncated(`ends within its headers, after ${bytes.length} bytes`, { bytes: bytes.length });
  }
  const { scan } = stop;
  const layout = layOut(frame, options.scaleDenominator ?? 1);
  const { progressive } = frame;
  let plan: ScanPlan | undefined;
  if (!hasWholeScan(headers, scan)) plan = planScans(bytes, headers, layout, scan, options.allowTruncated === true);
  else if (frame.arithmetic) plan = planArithmeticScan(scan, layout);
  return { headers, layout, scan, progressive, plan };
}
