/**
 * Collecting what a decoder pushes, standing it upright, and hashing it as the manifests do.
 */
import { createHash } from 'node:crypto';
import type { Orientation, RgbImage, RowSink } from '../../worker/imaging/image.ts';

/** A sink that keeps everything, and insists on getting each row once, in order. */
export class CollectingSink implements RowSink {
  width = 0;
  height = 0;
  data = new Uint8Array(0);
  nextRow = 0;
  /** Most rows that one call brought. */
  mostRows = 0;

  start(width: number, height: number): void {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height * 3);
  }

  rows(data: Uint8Array, offset: number, y: number, count: number): void {
    if (y !== this.nextRow) throw new Error(`row ${y} came where ${this.nextRow} was due`);
    this.nextRow += count;
    this.mostRows = Math.max(this.mostRows, count);
    if (this.nextRow > this.height) throw new Error(`row ${this.nextRow - 1} of ${this.height}`);
    const rowBytes = this.width * 3;
    this.data.set(data.subarray(offset, offset + count * rowBytes), y * rowBytes);
  }

  /** The whole image; fails where rows are missing. */
  image(): RgbImage {
    if (this.nextRow !== this.height) throw new Error(`${this.nextRow} of ${this.height} rows came`);
    return { width: this.width, height: this.height, data: this.data };
  }
}

/** Turns a stored image upright (TIFF 6.0 tag 274), pixel by pixel. */
export function upright(image: RgbImage, orientation: Orientation): RgbImage {
  const { width: w, height: h, data } = image;
  const swapped = orientation >= 5;
  const width = swapped ? h : w;
  const height = swapped ? w : h;
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [sx, sy] = source(orientation, x, y, w, h);
      out.set(data.subarray((sy * w + sx) * 3, (sy * w + sx) * 3 + 3), (y * width + x) * 3);
    }
  }
  return { width, height, data: out };
}

function source(orientation: Orientation, x: number, y: number, w: number, h: number): readonly [number, number] {
  switch (orientation) {
    case 1:
      return [x, y];
    case 2:
      return [w - 1 - x, y];
    case 3:
      return [w - 1 - x, h - 1 - y];
    case 4:
      return [x, h - 1 - y];
    case 5:
      return [y, x];
    case 6:
      return [y, h - 1 - x];
    case 7:
      return [w - 1 - y, h - 1 - x];
    case 8:
      return [w - 1 - y, x];
  }
}

/** SHA-256 of the pixels, in hex. */
export function sha256(image: RgbImage): string {
  return createHash('sha256').update(image.data).digest('hex');
}
