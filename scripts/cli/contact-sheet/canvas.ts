/** An RGB8 picture to put thumbnails and captions on. */
import type { RgbImage } from '../../../worker/imaging/image.ts';
import { GLYPH_WIDTH_PX, glyphRows } from './font.ts';

/** Red, green and blue, 0 to 255. */
export type Color = readonly [red: number, green: number, blue: number];

/** Width of a caption's character in px, its spacing included. */
export const CHARACTER_WIDTH_PX = GLYPH_WIDTH_PX + 1;

/** Draws; what lies outside is cut off. */
export class Canvas implements RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;

  constructor(width: number, height: number, background: Color) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height * 3);
    this.fill(0, 0, width, height, background);
  }

  fill(x: number, y: number, width: number, height: number, color: Color): void {
    for (let row = y; row < y + height; row++) {
      for (let column = x; column < x + width; column++) this.set(column, row, color);
    }
  }

  draw(image: RgbImage, x: number, y: number): void {
    for (let row = 0; row < image.height; row++) {
      const from = row * image.width * 3;
      this.data.set(image.data.subarray(from, from + image.width * 3), ((y + row) * this.width + x) * 3);
    }
  }

  /** Writes one line, its first glyph's top left corner at `x`, `y`. */
  write(text: string, x: number, y: number, color: Color): void {
    [...text].forEach((character, i) => {
      glyphRows(character).forEach((bits, row) => {
        for (let column = 0; column < GLYPH_WIDTH_PX; column++) {
          const isInk = ((bits >> (GLYPH_WIDTH_PX - 1 - column)) & 1) !== 0;
          if (isInk) this.set(x + i * CHARACTER_WIDTH_PX + column, y + row, color);
        }
      });
    });
  }

  private set(x: number, y: number, color: Color): void {
    if (x >= 0 && x < this.width && y >= 0 && y < this.height) this.data.set(color, (y * this.width + x) * 3);
  }
}
