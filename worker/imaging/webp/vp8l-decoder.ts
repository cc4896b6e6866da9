/**
 * Decodes a VP8L image to RGB8 rows (RFC 9649, section 3). Memory depends on the width, the number of prefix codes
 * and a window of at most 8 MiB, not on the image's area.
 */
import type { RowSink } from '../image.ts';
import { corruptWebp, truncatedWebp } from './errors.ts';
import { LsbBitReader } from './vp8l-bit-reader.ts';
import { readPixels, windowSize } from './vp8l-pixels.ts';
import { RowTransformer, rowTransformerBytes } from './vp8l-rows.ts';
import { measureVp8lStream, readVp8lStream, type Vp8lStream } from './vp8l-stream.ts';

/** Bits of signature, width, height, alpha flag and version (section 3.4). */
const SIGNATURE_BITS = 8;
const SIZE_BITS = 14;

/**
 * Decodes the image into `sink`, rows only: the caller has called `sink.start`.
 *
 * @param data the bitstream, which passed `readBitstreamFeatures`
 * @param allowTruncated true: stop quietly where the data ends
 * @throws {ImageError} `corrupt_image`; `truncated_image` unless allowed
 */
export function decodeVp8l(data: Uint8Array, sink: RowSink, allowTruncated: boolean): void {
  const reader = new LsbBitReader(data);
  const { width, height } = readSize(reader);
  const stream = readStream(reader, width, height, allowTruncated);
  if (stream === undefined) return;
  const rows = new RowTransformer(stream.transforms, width, sink);
  const window = new Int32Array(windowSize(stream.pixels.width, height));
  if (!readPixels(reader, stream.pixels, window, rows) && !allowTruncated) {
    throw truncatedWebp(`VP8L data of ${data.length} bytes ends after row ${rows.rowsOut} of ${height}`, {
      decodedRows: rows.rowsOut,
      height,
    });
  }
}

/** Bytes that `decodeVp8l` allocates: reads the image up to its pixels, to count what its prefix codes take. */
export function estimateVp8lBytes(data: Uint8Array): number {
  const reader = new LsbBitReader(data);
  const { width, height } = readSize(reader);
  const { bytes, stream } = measureVp8lStream(reader, width, height);
  if (stream === undefined) return bytes;
  return bytes + windowSize(stream.pixels.width, height) * 4 + rowTransformerBytes(stream.transforms, width);
}

function readSize(reader: LsbBitReader): { width: number; height: number } {
  reader.readBits(SIGNATURE_BITS);
  const width = reader.readBits(SIZE_BITS) + 1;
  const height = reader.readBits(SIZE_BITS) + 1;
  reader.readBits(4);
  return { width, height };
}

/** The stream's header; undefined where it ends early and that is allowed. */
function readStream(
  reader: LsbBitReader,
  width: number,
  height: number,
  allowTruncated: boolean,
): Vp8lStream | undefined {
  try {
    const stream = readVp8lStream(reader, width, height);
    if (reader.exhausted) throw corruptWebp('VP8L data ends before its pixels');
    return stream;
  } catch (error) {
    if (!reader.exhausted) throw error;
    if (allowTruncated) return undefined;
    throw truncatedWebp(`VP8L data of ${reader.data.length} bytes ends before its pixels`, {
      decodedRows: 0,
      height,
    });
  }
}
