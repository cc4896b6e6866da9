/** Turns stored rows into an upright image (EXIF orientation, TIFF 6.0 tag 274). */
import type { Orientation, RgbImage, RowSink } from './image.ts';

/** True for the orientations that swap width and height. */
export function swapsAxes(orientation: Orientation): boolean {
  return orientation >= 5;
}

/**
 * A sink that collects rows in stored order into an upright image.
 *
 * Allocates `width * height * 3` bytes in `start`, nothing else.
 */
export class UprightCollector implements RowSink {
  private readonly orientation: Orientation;
  private width = 0;
  private height = 0;
  private data = new Uint8Array(0);

  /** @param orientation of the rows that will come */
  constructor(orientation: Orientation) {
    this.orientation = orientation;
  }

  start(width: number, height: number): void {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height * 3);
  }

  rows(data: Uint8Array, offset: number, y: number, count: number): void {
    const { width } = this;
    if (this.orientation === 1) {
      this.data.set(data.subarray(offset, offset + count * width * 3), y * width * 3);
    } else if (swapsAxes(this.orientation)) {
      this.columns(data, offset, y, count);
    } else {
      for (let row = 0; row < count; row++) this.row(data, offset + row * width * 3, y + row);
    }
  }

  /** The upright image; complete once every row has come. */
  image(): RgbImage {
    const { width, height, data } = this;
    return swapsAxes(this.orientation) ? { width: height, height: width, data } : { width, height, data };
  }

  /** Orientations 2 to 4: a stored row is an upright row, from one end or the other. */
  private row(source: Uint8Array, from: number, y: number): void {
    const { width, height, orientation, data } = this;
    let to = (orientation === 2 ? y : height - 1 - y) * width * 3;
    if (orientation === 4) {
      data.set(source.subarray(from, from + width * 3), to);
      return;
    }
    for (let p = from + (width - 1) * 3; p >= from; p -= 3) {
      data[to] = source[p]!;
      data[to + 1] = source[p + 1]!;
      data[to + 2] = source[p + 2]!;
      to += 3;
    }
  }

  /** Orientations 5 to 8: a stored row is an upright column. Runs along upright rows, so that writes stay together. */
  private columns(source: Uint8Array, from: number, y: number, count: number): void {
    const { width, height, orientation, data } = this;
    const rowBytes = width * 3;
    const fromRight = orientation === 6 || orientation === 7;
    const fromBottom = orientation === 7 || orientation === 8;
    const step = fromRight ? -3 : 3;
    const column = fromRight ? height - 1 - y : y;
    for (let x = 0; x < width; x++) {
      let to = ((fromBottom ? width - 1 - x : x) * height + column) * 3;
      let p = from + x * 3;
      for (let row = 0; row < count; row++) {
        data[to] = source[p]!;
        data[to + 1] = source[p + 1]!;
        data[to + 2] = source[p + 2]!;
        p += rowBytes;
        to += step;
      }
    }
  }
}

/**
 * Turns a stored image upright.
 *
 * @param image as stored
 * @returns a new image; the same one where `orientation` is 1
 */
export function applyOrientation(image: RgbImage, orientation: Orientation): RgbImage {
  if (orientation === 1) return image;
  const collector = new UprightCollector(orientation);
  collector.start(image.width, image.height);
  collector.rows(image.data, 0, 0, image.height);
  return collector.image();
}
