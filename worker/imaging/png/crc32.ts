/** CRC-32 as PNG uses it (PNG specification, annex D), four bytes a step. */

/** `TABLES[n * 256 + byte]`: what `byte` adds to the remainder when `n` more bytes follow it in its step. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const shorter = tables[i - 256]!;
    tables[i] = tables[shorter & 255]! ^ (shorter >>> 8);
  }
  return tables;
}

/** CRC-32 of `bytes[from .. to - 1]`, an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, from: number, to: number): number {
  let crc = -1;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    crc =
      TABLES[768 + ((crc ^ bytes[i]!) & 255)]! ^
      TABLES[512 + (((crc >>> 8) ^ bytes[i + 1]!) & 255)]! ^
      TABLES[256 + (((crc >>> 16) ^ bytes[i + 2]!) & 255)]! ^
      TABLES[(crc >>> 24) ^ bytes[i + 3]!]!;
  }
  for (; i < to; i++) crc = TABLES[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}
