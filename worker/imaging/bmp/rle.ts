/**
 * BMP run lengths, RLE4 and RLE8, as Pillow's `BmpRleDecoder` reads them.
 *
 * Runs are cut at the row's end; an absolute run of an odd number of 4-bit pixels loses its last one; pixels that a
 * delta or a row's end passes over are index 0.
 */

/**
 * Decodes run lengths to one index a byte, rows in stored order.
 *
 * @param at index of the first run
 * @param nibbles true for RLE4
 * @param indices receives `width * height` indices; what is not written stays as it is
 * @returns indices written or passed over; fewer than `indices.length` where the file or the bitmap ends early
 */
export function decodeRuns(
  bytes: Uint8Array,
  at: number,
  nibbles: boolean,
  width: number,
  indices: Uint8Array,
): number {
  const total = indices.length;
  let filled = 0;
  let x = 0;
  let p = at;
  while (filled < total) {
    if (p + 2 > bytes.length) break;
    const first = bytes[p]!;
    const second = bytes[p + 1]!;
    p += 2;
    if (first > 0) {
      const count = Math.min(first, Math.max(0, width - x));
      if (nibbles) {
        for (let i = 0; i < count; i++) indices[filled + i] = (i & 1) === 0 ? second >> 4 : second & 15;
      } else {
        indices.fill(second, filled, filled + count);
      }
      filled += count;
      x += count;
    } else if (second === 0) {
      filled = Math.ceil(filled / width) * width;
      x = 0;
    } else if (second === 1) {
      break;
    } else if (second === 2) {
      if (p + 2 > bytes.length) break;
      filled += bytes[p]! + bytes[p + 1]! * width;
      x = filled % width;
      p += 2;
    } else {
      const stored = nibbles ? second >> 1 : second;
      const present = Math.min(stored, bytes.length - p);
      if (nibbles) {
        for (let i = 0; i < present; i++) {
          indices[filled++] = bytes[p + i]! >> 4;
          indices[filled++] = bytes[p + i]! & 15;
        }
      } else {
        indices.set(bytes.subarray(p, p + Math.min(present, total - filled)), filled);
        filled += present;
      }
      p += present;
      if (present < stored) break;
      x += second;
      // Runs start at even places in the file.
      p += p & 1;
    }
  }
  return Math.min(filled, total);
}
