/**
 * The symbols of a compressed block: literals, and matches that copy earlier output (RFC 1951 section 3.2.3).
 *
 * The fast loop runs while input, window and image have room for any symbol; one symbol at a time is decoded, with every
 * check, where they have not.
 */
import type { BitReader } from './bit-reader.ts';
import type { BlockCodes } from './block-codes.ts';
import {
  DISTANCE_ROOT_BITS,
  END_OF_BLOCK,
  EXCEPTIONAL,
  INVALID,
  LITERAL_ROOT_BITS,
  SUBTABLE,
} from './huffman-table.ts';
import { type OutputWindow, ROOM_BYTES } from './output-window.ts';

/** One round of the fast loop reads at most this far ahead: four refills of at most 3 bytes and the last one's 4-byte load. */
const FAST_INPUT_BYTES = 16;
/** Matches at least this long that do not overlap themselves are cheaper to copy by `copyWithin`. */
const BLOCK_COPY_BYTES = 64;

/**
 * How decoding stopped: `go` (more to do), `end` (of the block), `full` (as much output as is wanted), `starved` (input
 * ran out) or `corrupt`.
 */
export type SymbolStep = 'go' | 'end' | 'full' | 'starved' | 'corrupt';

/** Decodes to the end of the block; never returns `go`. */
export function decodeSymbols(reader: BitReader, output: OutputWindow, codes: BlockCodes): SymbolStep {
  for (;;) {
    let step = fastSymbols(reader, output, codes);
    if (step === 'go') {
      output.makeRoom();
      step = oneSymbol(reader, output, codes);
    }
    if (step !== 'go') return step;
  }
}

function oneSymbol(reader: BitReader, output: OutputWindow, codes: BlockCodes): SymbolStep {
  const entry = reader.code(codes.literals, LITERAL_ROOT_BITS);
  if (entry === undefined) return 'starved';
  if (entry < 0) {
    if (output.left === 0) return 'full';
    output.data[output.out++] = entry >>> 8;
    output.left--;
    reader.confined = output.left === 0;
    return 'go';
  }
  if ((entry & END_OF_BLOCK) !== 0) return 'end';
  if ((entry & INVALID) !== 0) return reader.corrupt('length code does not exist');
  const lengthExtra = (entry >>> 8) & 15;
  if (!reader.hasBits(lengthExtra)) return 'starved';
  const length = (entry >>> 16) + reader.take(lengthExtra);
  const code = reader.code(codes.distances, DISTANCE_ROOT_BITS);
  if (code === undefined) return 'starved';
  if ((code & INVALID) !== 0) return reader.corrupt('distance code does not exist');
  const distanceExtra = (code >>> 8) & 15;
  if (!reader.hasBits(distanceExtra)) return 'starved';
  const distance = (code >>> 16) + reader.take(distanceExtra);
  const count = Math.min(length, output.left);
  if (count === 0) return 'full';
  if (distance > output.slidBytes + output.out) return beforeStart(reader, distance);
  const { data, out } = output;
  for (let i = 0; i < count; i++) data[out + i] = data[out + i - distance]!;
  output.out += count;
  output.left -= count;
  reader.confined = output.left === 0;
  return count < length ? 'full' : 'go';
}

function beforeStart(reader: BitReader, distance: number): 'corrupt' {
  return reader.corrupt(`match reaches ${distance} bytes back, before the start of the data`);
}

/** Returns `end` at the end of the block, `go` where the room ends. */
function fastSymbols(reader: BitReader, output: OutputWindow, codes: BlockCodes): SymbolStep {
  const { view } = reader;
  const { data } = output;
  const { literals, distances } = codes;
  const literalMask = (1 << LITERAL_ROOT_BITS) - 1;
  const distanceMask = (1 << DISTANCE_ROOT_BITS) - 1;
  const inputEnd = reader.end - FAST_INPUT_BYTES;
  const outputEnd = output.out + Math.min(output.left, data.length - output.out) - ROOM_BYTES;
  const history = output.slidBytes;
  let { pos, hold, bits } = reader;
  let { out } = output;
  let step: SymbolStep = 'go';
  // Bits above `bits` in `hold` are the stream's own in this loop, so OR-ing them in twice changes nothing.
  while (pos <= inputEnd && out <= outputEnd) {
    hold |= view.getInt32(pos, true) << bits;
    pos += (31 - bits) >> 3;
    bits |= 24;
    let entry = literals[hold & literalMask]!;
    if (entry < 0) {
      data[out++] = entry >>> 8;
      // A shift count is taken modulo 32: the entry's low five bits are its length.
      hold >>>= entry;
      bits -= entry & 31;
      entry = literals[hold & literalMask]!;
      if (entry < 0) {
        data[out++] = entry >>> 8;
        hold >>>= entry;
        bits -= entry & 31;
        continue;
      }
      hold |= view.getInt32(pos, true) << bits;
      pos += (31 - bits) >> 3;
      bits |= 24;
    }
    if ((entry & EXCEPTIONAL) !== 0) {
      if ((entry & SUBTABLE) !== 0) {
        entry = literals[(entry >>> 16) + ((hold >>> LITERAL_ROOT_BITS) & ((1 << ((entry >>> 8) & 15)) - 1))]!;
        if (entry < 0) {
          data[out++] = entry >>> 8;
          hold >>>= entry;
          bits -= entry & 31;
          continue;
        }
      }
      if ((entry & END_OF_BLOCK) !== 0) {
        hold >>>= entry;
        bits -= entry & 31;
        step = 'end';
        break;
      }
      if ((entry & INVALID) !== 0) {
        step = reader.corrupt('length code does not exist');
        break;
      }
    }
    hold >>>= entry;
    bits -= entry & 31;
    const lengthExtra = (entry >>> 8) & 15;
    const length = (entry >>> 16) + (hold & ((1 << lengthExtra) - 1));
    hold >>>= lengthExtra;
    bits -= lengthExtra;
    hold |= view.getInt32(pos, true) << bits;
    pos += (31 - bits) >> 3;
    bits |= 24;
    entry = distances[hold & distanceMask]!;
    if ((entry & EXCEPTIONAL) !== 0) {
      if ((entry & SUBTABLE) !== 0) {
        entry = distances[(entry >>> 16) + ((hold >>> DISTANCE_ROOT_BITS) & ((1 << ((entry >>> 8) & 15)) - 1))]!;
      }
      if ((entry & INVALID) !== 0) {
        step = reader.corrupt('distance code does not exist');
        break;
      }
    }
    hold >>>= entry;
    bits -= entry & 31;
    const distanceExtra = (entry >>> 8) & 15;
    if (bits < distanceExtra) {
      hold |= view.getInt32(pos, true) << bits;
      pos += (31 - bits) >> 3;
      bits |= 24;
    }
    const distance = (entry >>> 16) + (hold & ((1 << distanceExtra) - 1));
    hold >>>= distanceExtra;
    bits -= distanceExtra;
    if (distance > history + out) {
      step = beforeStart(reader, distance);
      break;
    }
    const matchEnd = out + length;
    let from = out - distance;
    if (length >= BLOCK_COPY_BYTES && distance >= length) {
      data.copyWithin(out, from, from + length);
      out = matchEnd;
    } else {
      do {
        data[out++] = data[from++]!;
      } while (out < matchEnd);
    }
  }
  output.left -= out - output.out;
  output.out = out;
  reader.pos = pos;
  reader.hold = hold & (2 ** bits - 1);
  reader.bits = bits;
  reader.confined = output.left === 0;
  return step;
}
