/**
 * GIF's LZW codes (GIF89a specification, appendix F): data sub-blocks in, colour indices out.
 *
 * Accepts and refuses what Pillow's GifDecode.c does: a sub-block counts only when all of it is there, an empty one is
 * passed over, and an end code ahead of the last pixel counts only where nothing follows in the next read.
 */

/** Longest code. */
const MAX_CODE_BITS = 12;
/** Entries of the code table. */
const TABLE_ENTRIES = 1 << MAX_CODE_BITS;
/** Pillow reads the file in steps of this size; an end code stops it until the next one. */
const READ_BYTES = 65_536;
/** Indices that are decoded between two calls of the consumer, at least. */
const CHUNK_PIXELS = 16_384;

/** Takes indices as they come. */
export interface IndexConsumer {
  /** Takes `count` indices from `indices[0]` on. */
  consume(indices: Uint8Array, count: number): void;
}

/** How it ended: `complete`, `truncated` (input ran out) or `corrupt`, for `reason`. */
export interface LzwResult {
  readonly status: 'complete' | 'truncated' | 'corrupt';
  readonly pixels: number;
  readonly reason: string;
}

/** Bytes that decoding allocates. */
export const LZW_MEMORY_BYTES = TABLE_ENTRIES * 5 + CHUNK_PIXELS + TABLE_ENTRIES + 1;

/**
 * Decodes up to `pixels` indices.
 *
 * @param start index of the first sub-block's length
 * @param codeBits LZW minimum code size
 */
export function decodeLzw(
  bytes: Uint8Array,
  start: number,
  codeBits: number,
  pixels: number,
  consumer: IndexConsumer,
): LzwResult {
  if (codeBits > MAX_CODE_BITS) {
    return { status: 'corrupt', pixels: 0, reason: `minimum code size is ${codeBits} bits; limit ${MAX_CODE_BITS}` };
  }
  const clear = 1 << codeBits;
  const end = clear + 1;
  const prefix = new Uint16Array(TABLE_ENTRIES);
  const suffix = new Uint8Array(TABLE_ENTRIES);
  const length = new Uint16Array(TABLE_ENTRIES);
  const out = new Uint8Array(CHUNK_PIXELS + TABLE_ENTRIES + 1);
  let filled = 0;
  let left = pixels;

  let at = start;
  let blockEnd = start;
  let readEnd = Math.min(bytes.length, start + READ_BYTES);
  let hold = 0;
  let bits = 0;

  let codeSize = codeBits + 1;
  let mask = (1 << codeSize) - 1;
  let next = clear + 2;
  let lastCode = -1;
  let lastFirst = 0;
  let reason = '';

  decoding: while (left > 0) {
    while (bits < codeSize) {
      if (at < blockEnd) {
        hold |= bytes[at++]! << bits;
        bits += 8;
      } else {
        if (at >= bytes.length || at + 1 + bytes[at]! > bytes.length) break decoding;
        blockEnd = at + 1 + bytes[at]!;
        at++;
        if (blockEnd > readEnd) readEnd = nextReadEnd(readEnd, blockEnd, bytes.length);
      }
    }
    const code = hold & mask;
    hold >>>= codeSize;
    bits -= codeSize;

    if (code === clear) {
      codeSize = codeBits + 1;
      mask = (1 << codeSize) - 1;
      next = clear + 2;
      lastCode = -1;
      continue;
    }
    if (code === end) {
      if (readEnd >= bytes.length) break;
      readEnd = Math.min(bytes.length, readEnd + READ_BYTES);
      continue;
    }

    let from = filled;
    if (lastCode < 0) {
      if (code > clear) {
        reason = `first code after a clear code is ${code}`;
        break;
      }
      lastFirst = code;
      out[filled++] = code;
    } else {
      if (code > next || (code >= TABLE_ENTRIES && code !== next)) {
        reason = `code ${code} comes when only ${next} exist`;
        break;
      }
      let walk = code;
      let count = 1;
      if (code === next) {
        walk = lastCode;
        if (walk >= TABLE_ENTRIES) {
          reason = `code ${code} repeats a code outside the table`;
          break;
        }
        count = walk < clear ? 2 : length[walk]! + 1;
        out[filled + count - 1] = lastFirst;
      } else if (code >= clear) {
        count = length[code]!;
      }
      from = filled + (walk < clear ? 1 : length[walk]!) - 1;
      while (walk >= clear) {
        out[from--] = suffix[walk]!;
        walk = prefix[walk]!;
      }
      out[from] = walk;
      lastFirst = walk;
      filled += count;
      if (next < TABLE_ENTRIES) {
        suffix[next] = walk;
        prefix[next] = lastCode;
        length[next] = lastCode < clear ? 2 : length[lastCode]! + 1;
        if (next === mask && codeSize < MAX_CODE_BITS) {
          codeSize++;
          mask = (1 << codeSize) - 1;
        }
        next++;
      }
    }
    lastCode = code;
    if (filled >= left) break;
    if (filled >= CHUNK_PIXELS) {
      consumer.consume(out, filled);
      left -= filled;
      filled = 0;
    }
  }
  const count = Math.min(filled, left);
  if (count > 0) consumer.consume(out, count);
  left -= count;
  const status = reason !== '' ? 'corrupt' : left === 0 ? 'complete' : 'truncated';
  return { status, pixels: pixels - left, reason };
}

/** End of the read that brings `wanted` in. */
function nextReadEnd(readEnd: number, wanted: number, fileEnd: number): number {
  const reads = Math.ceil((wanted - readEnd) / READ_BYTES);
  return Math.min(fileEnd, readEnd + reads * READ_BYTES);
}
