/**
 * PNG decoding: every colour type, bit depth and interlacing; APNG's first image. Exact with Pillow 12.3.
 *
 * Stages: chunks > inflate > unfilter > layout (RGB8). Rows of a non-interlaced image stream, so memory depends on its
 * width; an interlaced one is collected whole, 1 or 3 bytes a pixel. Alpha and transparency are dropped, not composited.
 * Source: PNG specification third edition (W3C), Pillow's PngImagePlugin.py and ZipDecode.c.
 */
import { ImageError } from '../../errors.ts';
import type { DecodeOptions, ImageInfo, RowSink } from '../image.ts';
import { inflate, inflateMemoryBytes } from '../inflate/inflate.ts';
import { swapsAxes } from '../orient.ts';
import type { Chunk } from './chunk.ts';
import { afterChunk, chunkAt, cutOff, frameData, isCut, type PngFile, readChunk, readHeader } from './chunks.ts';
import { CollectedRows, collectedBytes } from './collected-rows.ts';
import { DataRanges } from './data-ranges.ts';
import { pixelLayout, samplesPerPixel, storedRowBytes } from './layout.ts';
import { metadataMemoryBytes, noteMetadata, readOrientation } from './metadata.ts';
import type { RowReader } from './row-reader.ts';
import { StreamedRows, streamedBytes } from './streamed-rows.ts';

/**
 * Reads size, layout and orientation; no image data is looked at.
 *
 * @throws ImageError `truncated_image`, `corrupt_image`, `unsupported_image_feature`
 */
export function readPngInfo(bytes: Uint8Array): ImageInfo {
  const file = readHeader(bytes);
  const { header } = file;
  const { width, height } = header;
  readTrailingMetadata(bytes, file);
  const orientation = readOrientation(bytes, header);
  const swap = swapsAxes(orientation);
  return {
    format: 'png',
    width: swap ? height : width,
    height: swap ? width : height,
    storedWidth: width,
    storedHeight: height,
    orientation,
    components: samplesPerPixel(header.colorType),
    bitsPerSample: header.bitDepth,
    frames: frameCount(file),
    interlaced: header.interlaced,
  };
}

/**
 * Bytes that `decodePng` will allocate at most, from the header alone.
 *
 * @throws ImageError as `readPngInfo`
 */
export function estimatePngBytes(bytes: Uint8Array, _options: DecodeOptions = {}): number {
  const file = readHeader(bytes);
  const { header } = file;
  readTrailingMetadata(bytes, file);
  const layout = pixelLayout(header);
  const rows = isCollected(header) ? collectedBytes(header, layout) : streamedBytes(header, layout);
  return inflateMemoryBytes(storedRowBytes(layout, header.width) + 1) + rows + metadataMemoryBytes(header);
}

/**
 * Decodes the image (of an APNG, the first one) to RGB8 rows in stored order.
 *
 * @param options with `allowTruncated`, rows that did not arrive have samples of 0, as Pillow fills them
 * @throws ImageError `truncated_image`, `corrupt_image`, `unsupported_image_feature`
 */
export async function decodePng(bytes: Uint8Array, sink: RowSink, options: DecodeOptions = {}): Promise<void> {
  const file = readHeader(bytes);
  const { header } = file;
  const layout = pixelLayout(header);
  const ranges = new DataRanges(bytes, file);
  const reader: RowReader = isCollected(header)
    ? new CollectedRows(header, layout, sink)
    : new StreamedRows(header, layout, sink);
  sink.start(header.width, header.height);
  const result = inflate(bytes, ranges, reader.totalBytes, reader.unitBytes, reader);
  if (result.status === 'corrupt') {
    throw new ImageError('corrupt_image', `PNG image data: ${result.reason}`, {
      details: { rows: reader.rowsDone, expectedRows: reader.rowsTotal },
    });
  }
  if (!isWhole(result.status, result.producedBytes, reader) && options.allowTruncated !== true) {
    throw new ImageError(
      'truncated_image',
      `PNG image data ends after ${reader.rowsDone} of ${reader.rowsTotal} rows (${result.producedBytes} of ${reader.totalBytes} bytes)`,
      { details: { rows: reader.rowsDone, expectedRows: reader.rowsTotal } },
    );
  }
  reader.finish();
  if (options.allowTruncated !== true) checkTrailingChunks(bytes, file, ranges.resumeAt);
}

/** True where the data is accepted: all of it, or a finished zlib stream that stops after some whole row. */
function isWhole(status: string, producedBytes: number, reader: RowReader): boolean {
  return status === 'full' || (status === 'ended' && reader.rowsDone > 0 && producedBytes === reader.takenBytes);
}

function isCollected(header: PngFile['header']): boolean {
  const { region } = header;
  return header.interlaced || (region !== undefined && (region.width < header.width || region.height < header.height));
}

/** Frames that can be shown; a default image outside the animation counts. */
function frameCount({ header }: PngFile): number {
  if (header.animationFrames === undefined) return 1;
  return header.animationFrames + (header.region === undefined ? 1 : 0);
}

/** Notes EXIF and XMP behind the image data; whatever is wrong there is left to decoding. */
function readTrailingMetadata(bytes: Uint8Array, file: PngFile): void {
  let chunk: Chunk | undefined = file.data;
  for (;;) {
    chunk = chunkAt(bytes, afterChunk(chunk));
    if (chunk === undefined || isCut(bytes, chunk) || isLast(chunk, file)) return;
    if (chunk.type === 'eXIf' || chunk.type === 'iTXt' || chunk.type === 'tEXt' || chunk.type === 'zTXt') {
      try {
        noteMetadata(bytes, chunk, file.header);
      } catch (error) {
        if (error instanceof ImageError) return;
        throw error;
      }
    }
  }
}

/**
 * Checks what follows the image data as strictly as Pillow does: known chunks must have their layout, none may be cut
 * off; a missing IEND is fine.
 */
function checkTrailingChunks(bytes: Uint8Array, file: PngFile, from: number): void {
  const header = { ...file.header };
  let chunk = chunkAt(bytes, from);
  while (chunk !== undefined && !isLast(chunk, file)) {
    if (chunk.type === 'fdAT') chunk = frameData(bytes, chunk, header);
    if (chunk.type !== 'IDAT' && chunk.type !== 'fdAT') readChunk(bytes, chunk, header);
    else if (isCut(bytes, chunk)) throw cutOff(bytes, chunk);
    chunk = chunkAt(bytes, afterChunk(chunk));
  }
}

function isLast(chunk: Chunk, file: PngFile): boolean {
  return chunk.type === 'IEND' || (chunk.type === 'fcTL' && frameCount(file) > 1);
}
