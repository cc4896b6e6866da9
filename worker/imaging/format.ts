/** Recognises image formats by their first bytes; file names and media types are not believed. */
import { ImageError } from '../errors.ts';
import { DIB_MAGICS } from './bmp/header.ts';
import type { ImageFormat } from './image.ts';

/** A format's name, where its magic stands, and the magics (Latin-1) that it may have there. */
type Signature = readonly [name: string, at: number, magics: readonly string[]];

/** Formats that are recognised and refused by name; the first that fits counts. */
const REFUSED: readonly Signature[] = [
  ['AVIF', 4, ['ftypavif', 'ftypavis']],
  ['HEIC', 4, ['ftypheic', 'ftypheix', 'ftypheim', 'ftypheis', 'ftyphevc', 'ftyphevx', 'ftyphevm', 'ftyphevs']],
  ['HEIF', 4, ['ftypmif1', 'ftypmif2', 'ftypmsf1']],
  ['Canon CR3', 4, ['ftypcrx ']],
  ['MP4 or QuickTime video', 4, ['ftyp']],
  ['JPEG XL', 0, ['\xff\x0a', '\0\0\0\x0cJXL \r\n\x87\n']],
  ['JPEG 2000', 0, ['\0\0\0\x0cjP  \r\n\x87\n', '\xff\x4f\xff\x51']],
  ['JPEG XR', 0, ['II\xbc\x01']],
  ['TIFF', 0, ['II*\0', 'MM\0*', 'II+\0', 'MM\0+']],
  ['ICO', 0, ['\0\0\x01\0']],
  // Before CUR, which has the number of its images where these have zeros.
  [
    'TGA',
    0,
    [
      '\0\0\x02\0\0\0\0\0',
      '\0\0\x03\0\0\0\0\0',
      '\0\0\x0a\0\0\0\0\0',
      '\0\0\x0b\0\0\0\0\0',
      '\0\x01\x01\0\0',
      '\0\x01\x09\0\0',
    ],
  ],
  ['CUR', 0, ['\0\0\x02\0']],
  ['PSD', 0, ['8BPS']],
  ['PDF', 0, ['%PDF-']],
  ['PostScript', 0, ['%!PS', '\xc5\xd0\xd3\xc6']],
  ['MNG', 0, ['\x8aMNG', '\x8bJNG']],
  ['QOI', 0, ['qoif']],
  ['Netpbm', 0, ['P1\n', 'P2\n', 'P3\n', 'P4\n', 'P5\n', 'P6\n', 'P7\n', 'P1 ', 'P2 ', 'P3 ', 'P4 ', 'P5 ', 'P6 ']],
  ['Radiance HDR', 0, ['#?RADIANCE', '#?RGBE']],
  ['OpenEXR', 0, ['\x76\x2f\x31\x01']],
  ['DDS', 0, ['DDS ']],
  ['ICNS', 0, ['icns']],
  ['XCF', 0, ['gimp xcf']],
  ['BPG', 0, ['BPG\xfb']],
  ['FLIF', 0, ['FLIF']],
  ['Matroska or WebM video', 0, ['\x1a\x45\xdf\xa3']],
];

/** Formats that are decoded. WebP is told from other RIFF files below. */
const DECODED: ReadonlyArray<readonly [ImageFormat, readonly string[]]> = [
  ['jpeg', ['\xff\xd8\xff']],
  ['png', ['\x89PNG\r\n\x1a\n']],
  ['gif', ['GIF87a', 'GIF89a']],
  ['bmp', ['BM', ...DIB_MAGICS]],
];

/** What may stand before an SVG's root element: byte order mark, XML declaration, comments, document type. */
const SVG_START = /^(?:\xef\xbb\xbf)?(?:\s|<\?[^>]*>|<!--.*?-->|<![^>]*>)*<svg[\s>]/s;

/** Bytes that are looked at; SVG may have a prolog before its root element. */
const PREFIX_BYTES = 1024;

/**
 * Names the format of an encoded image.
 *
 * @throws ImageError `unsupported_image_format` for a format that is known and not decoded, with its name;
 *   `unrecognized_image` for anything else, with the first bytes
 */
export function detectFormat(bytes: Uint8Array): ImageFormat {
  const prefix = String.fromCharCode(...bytes.subarray(0, PREFIX_BYTES));
  for (const [format, magics] of DECODED) if (magics.some((magic) => prefix.startsWith(magic))) return format;
  if (prefix.startsWith('RIFF') && /^VP8[ LX]/.test(prefix.slice(12)) && prefix.startsWith('WEBP', 8)) return 'webp';
  const name = refusedName(prefix);
  if (name !== undefined) {
    throw new ImageError('unsupported_image_format', `${name} is not supported; send JPEG, PNG, WebP, GIF or BMP`, {
      details: { format: name },
    });
  }
  if (bytes.length === 0) throw new ImageError('unrecognized_image', 'image is empty: 0 bytes');
  const first = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new ImageError(
    'unrecognized_image',
    `${bytes.length} bytes starting with ${first} are not a known image format; send JPEG, PNG, WebP, GIF or BMP`,
  );
}

/** The name of a format that is recognised and not decoded; null for any other bytes. */
export function refusedFormat(bytes: Uint8Array): string | null {
  return refusedName(String.fromCharCode(...bytes.subarray(0, PREFIX_BYTES))) ?? null;
}

function refusedName(prefix: string): string | undefined {
  for (const [name, at, magics] of REFUSED) if (magics.some((magic) => prefix.startsWith(magic, at))) return name;
  return SVG_START.test(prefix) ? 'SVG' : undefined;
}
