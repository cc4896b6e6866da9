/**
 * EXIF and XMP orientation. Pure: bytes in, a number out; damaged metadata never fails an image.
 *
 * Follows Pillow's `ImageOps.exif_transpose` (`Image.getexif`, `TiffImagePlugin.ImageFileDirectory_v2.load`):
 * EXIF first, XMP only where EXIF carries no orientation tag at all.
 */
import type { Orientation } from './image.ts';

/** TIFF 6.0 section 8, tag `Orientation`. */
const ORIENTATION_TAG = 274;

/** Bytes a value of each TIFF field type takes, by type number; 0 for types that do not exist. */
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8];

/** Bytes of one IFD entry. */
const ENTRY_BYTES = 12;

/** What the metadata says: nothing, something that is not an orientation, or an orientation. */
type Found = { readonly kind: 'absent' } | { readonly kind: 'damaged' } | { readonly kind: 'value'; value: number };

/**
 * Reads the orientation of an EXIF block.
 *
 * @param exif a TIFF structure, with or without its `Exif\0\0` prefix
 * @returns 1 to 8; 1 where the block is damaged, has no orientation or a value outside 1..8
 */
export function readExifOrientation(exif: Uint8Array): Orientation {
  return asOrientation(findExifOrientation(exif));
}

/**
 * Resolves the orientation of an image from both of its metadata blocks.
 *
 * @param exif the EXIF block, if the file has one (`Exif\0\0` prefix optional)
 * @param xmp the XMP packet as stored (UTF-8), if the file has one
 * @returns EXIF's orientation; XMP's `tiff:Orientation` where a readable EXIF has none; otherwise 1
 */
export function resolveOrientation(exif: Uint8Array | undefined, xmp: Uint8Array | undefined): Orientation {
  const found: Found = exif === undefined ? { kind: 'absent' } : findExifOrientation(exif);
  if (found.kind !== 'absent' || xmp === undefined) return asOrientation(found);
  return readXmpOrientation(xmp);
}

/**
 * Reads `tiff:Orientation`, as attribute or element, from an XMP packet.
 *
 * @param xmp the packet, UTF-8
 * @returns 1 to 8; 1 where there is none or the digit is 0 or 9
 */
export function readXmpOrientation(xmp: Uint8Array): Orientation {
  const match = /tiff:Orientation(?:="|>)([0-9])/.exec(new TextDecoder('latin1').decode(xmp));
  return match === null ? 1 : asOrientation({ kind: 'value', value: Number(match[1]) });
}

function asOrientation(found: Found): Orientation {
  if (found.kind !== 'value') return 1;
  const { value } = found;
  return value === 2 || value === 3 || value === 4 || value === 5 || value === 6 || value === 7 || value === 8
    ? value
    : 1;
}

function findExifOrientation(block: Uint8Array): Found {
  const exif = withoutPrefix(block);
  if (exif.length === 0) return { kind: 'absent' };
  const view = new DataView(exif.buffer, exif.byteOffset, exif.length);
  const littleEndian = byteOrder(exif);
  if (littleEndian === undefined || exif.length < 8) return { kind: 'damaged' };
  const ifd = view.getUint32(4, littleEndian);
  let found: Found = { kind: 'absent' };
  if (ifd + 2 > exif.length) return found;
  const entries = view.getUint16(ifd, littleEndian);
  for (let i = 0; i < entries; i++) {
    const entry = ifd + 2 + i * ENTRY_BYTES;
    if (entry + ENTRY_BYTES > exif.length) break;
    const type = view.getUint16(entry + 2, littleEndian);
    const typeBytes = TYPE_BYTES[type] ?? 0;
    const valueBytes = typeBytes * view.getUint32(entry + 4, littleEndian);
    if (valueBytes === 0) continue;
    const at = valueBytes > 4 ? view.getUint32(entry + 8, littleEndian) : entry + 8;
    // Reference readers stop at the first value that lies outside the block: later entries do not count.
    if (at + valueBytes > exif.length) break;
    // A repeated tag overrides the earlier one.
    if (view.getUint16(entry, littleEndian) === ORIENTATION_TAG) {
      found = { kind: 'value', value: readNumber(view, at, type, littleEndian) };
    }
  }
  return found;
}

/** Skips `Exif\0\0`, which some writers repeat. */
function withoutPrefix(block: Uint8Array): Uint8Array {
  let start = 0;
  while (
    block[start] === 0x45 &&
    block[start + 1] === 0x78 &&
    block[start + 2] === 0x69 &&
    block[start + 3] === 0x66 &&
    block[start + 4] === 0 &&
    block[start + 5] === 0
  ) {
    start += 6;
  }
  return start === 0 ? block : block.subarray(start);
}

/** True for little endian, undefined where there is no TIFF header. `2a 00` may stand swapped, as some cameras write it. */
function byteOrder(tiff: Uint8Array): boolean | undefined {
  const magic = (tiff[2] ?? 0) * 256 + (tiff[3] ?? 0);
  if (magic !== 0x2a00 && magic !== 0x002a) return undefined;
  if (tiff[0] === 0x49 && tiff[1] === 0x49) return true;
  if (tiff[0] === 0x4d && tiff[1] === 0x4d) return false;
  return undefined;
}

/** First value of a numeric field; 0 (no orientation) for text and opaque types. */
function readNumber(view: DataView, at: number, type: number, littleEndian: boolean): number {
  switch (type) {
    case 3:
      return view.getUint16(at, littleEndian);
    case 4:
    case 13:
      return view.getUint32(at, littleEndian);
    case 5:
      return view.getUint32(at, littleEndian) / view.getUint32(at + 4, littleEndian);
    case 6:
      return view.getInt8(at);
    case 8:
      return view.getInt16(at, littleEndian);
    case 9:
      return view.getInt32(at, littleEndian);
    case 10:
      return view.getInt32(at, littleEndian) / view.getInt32(at + 4, littleEndian);
    case 11:
      return view.getFloat32(at, littleEndian);
    case 12:
      return view.getFloat64(at, littleEndian);
    case 16:
      return Number(view.getBigUint64(at, littleEndian));
    default:
      return 0;
  }
}
