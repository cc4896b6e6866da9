import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../worker/errors.ts';
import { detectFormat } from '../../../worker/imaging/format.ts';

const latin1 = (s: string) => Uint8Array.from(s, (c) => c.charCodeAt(0));

describe('detectFormat', () => {
  it.each([
    ['jpeg', '\xff\xd8\xff\xe0\0\x10JFIF'],
    ['png', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR'],
    ['webp', 'RIFF\x10\0\0\0WEBPVP8 '],
    ['webp', 'RIFF\x10\0\0\0WEBPVP8L'],
    ['webp', 'RIFF\x10\0\0\0WEBPVP8X'],
    ['gif', 'GIF87a\x01\0'],
    ['gif', 'GIF89a\x01\0'],
    ['bmp', 'BM\x3a\0'],
    ['bmp', '(\0\0\0\x05\0\0\0'],
    ['bmp', '|\0\0\0\x05\0\0\0'],
  ])('recognises %s', (format, start) => {
    expect(detectFormat(latin1(start))).toBe(format);
  });

  it.each([
    ['AVIF', '\0\0\0\x20ftypavif\0\0\0\0'],
    ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0'],
    ['HEIF', '\0\0\0\x18ftypmif1\0\0\0\0'],
    ['MP4 or QuickTime video', '\0\0\0\x18ftypisom\0\0\0\0'],
    ['JPEG XL', '\xff\x0a\x00'],
    ['JPEG XL', '\0\0\0\x0cJXL \r\n\x87\n'],
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
    ['TIFF', 'II*\0\x08\0\0\0'],
    ['TIFF', 'MM\0*\0\0\0\x08'],
    ['ICO', '\0\0\x01\0\x01\0'],
    ['CUR', '\0\0\x02\0\x01\0'],
    ['TGA', '\0\0\x02\0\0\0\0\0\0\0\0\0'],
    ['TGA', '\0\x01\x09\0\0\0\x01\x18'],
    ['PSD', '8BPS\0\x01'],
    ['PDF', '%PDF-1.7'],
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg">'],
    ['SVG', '\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a > b -->\n<!DOCTYPE svg PUBLIC "x">\n<svg>'],
    ['Netpbm', 'P6\n1 1\n255\n'],
  ])('refuses %s by name', (name, start) => {
    expect(() => detectFormat(latin1(start))).toThrow(
      expect.objectContaining({ code: 'unsupported_image_format', details: { format: name } }),
    );
  });

  it.each(['', 'B', 'hello, world', 'RIFF\x10\0\0\0WAVEfmt ', '\x89PNG\r\n', '<html><body><svg>', 'GIF88a'])(
    'says that %j is not an image',
    (start) => {
      let error: unknown;
      try {
        detectFormat(latin1(start));
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(ImageError);
      expect(error).toHaveProperty('code', 'unrecognized_image');
      if (start !== '') expect(error).toHaveProperty('message', expect.stringContaining(`${start.length} bytes`));
    },
  );
});
