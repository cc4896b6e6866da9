/**
 * Frame buffers of one row of macroblocks: a plane with the border that intra prediction reads.
 */

/** Bytes left of column 0; keeps columns aligned to four bytes. */
const LEFT_BORDER_BYTES = 4;

/** Bytes right of the last column: where the last macroblock's top-right samples go. */
const RIGHT_BORDER_BYTES = 4;

/** What lies left of the frame (RFC 6386, section 12.2). */
const LEFT_OF_FRAME = 129;

/** What lies above the frame. */
const ABOVE_FRAME = 127;

/**
 * One row of macroblocks before filtering, `size` rows under the last row of those above, and a column left of it.
 * Elements clamp to 0..255.
 */
export class ReconPlane {
  readonly bytes: Uint8ClampedArray;
  /** The same memory, four samples an element. */
  readonly words: Int32Array;
  readonly stride: number;
  /** Index of sample (0, 0). */
  readonly origin: number;
  /** Samples a row, whole macroblocks. */
  readonly width: number;
  /** Rows of a macroblock: 16 or 8. */
  readonly size: number;

  constructor(mbWidth: number, size: number) {
    this.width = mbWidth * size;
    this.size = size;
    this.stride = LEFT_BORDER_BYTES + this.width + RIGHT_BORDER_BYTES;
    this.origin = this.stride + LEFT_BORDER_BYTES;
    const buffer = new ArrayBuffer(this.stride * (size + 1));
    this.bytes = new Uint8ClampedArray(buffer);
    this.words = new Int32Array(buffer);
    this.bytes.fill(LEFT_OF_FRAME);
    this.bytes.fill(ABOVE_FRAME, 0, this.stride);
  }

  /**
   * Moves the last row to the top, for the next row of macroblocks. The corner turns into what lies left of the
   * frame; the samples above and right of the last macroblock repeat its last one (libwebp's `ReconstructRow`).
   */
  nextRow(): void {
    const { bytes, stride } = this;
    bytes.copyWithin(0, this.size * stride, (this.size + 1) * stride);
    bytes.fill(LEFT_OF_FRAME, 0, LEFT_BORDER_BYTES);
    const right = LEFT_BORDER_BYTES + this.width;
    bytes.fill(bytes[right - 1]!, right, stride);
  }
}

/** Bytes that `new ReconPlane(mbWidth, size)` allocates. */
export function reconPlaneBytes(mbWidth: number, size: number): number {
  return (LEFT_BORDER_BYTES + mbWidth * size + RIGHT_BORDER_BYTES) * (size + 1);
}
