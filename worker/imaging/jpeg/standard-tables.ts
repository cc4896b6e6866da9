/**
 * The Huffman tables of ITU-T T.81 annex K.3, which Motion JPEG frames use without carrying them.
 */
import type { HuffmanSpec } from './huffman-table.ts';

const DC_SYMBOLS = '000102030405060708090a0b';
const AC_LUMINANCE_SYMBOLS =
  '0102030004110512213141061351610722711432' +
  '8191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a53545556' +
  '5758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4' +
  'b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa';
const AC_CHROMINANCE_SYMBOLS =
  '0001020311040521310612415107617113223281' +
  '08144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455' +
  '565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2' +
  'b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa';

/** DC tables for luminance (slot 0) and chrominance (slot 1): tables K.3 and K.4. */
export const STANDARD_DC: readonly HuffmanSpec[] = [
  spec([0, 1, 5, 1, 1, 1, 1, 1, 1], DC_SYMBOLS),
  spec([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1], DC_SYMBOLS),
];

/** AC tables for luminance (slot 0) and chrominance (slot 1): tables K.5 and K.6. */
export const STANDARD_AC: readonly HuffmanSpec[] = [
  spec([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125], AC_LUMINANCE_SYMBOLS),
  spec([0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119], AC_CHROMINANCE_SYMBOLS),
];

function spec(countsFromOne: readonly number[], hex: string): HuffmanSpec {
  const counts = new Uint8Array(17);
  counts.set(countsFromOne, 1);
  const symbols = new Uint8Array(256);
  for (let i = 0; i < hex.length / 2; i++) symbols[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return { counts, symbols };
}
