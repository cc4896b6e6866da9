/** The two codes of a compressed block, fixed or sent along (RFC 1951 sections 3.2.6 and 3.2.7). */
import type { BitReader } from './bit-reader.ts';
import {
  buildTable,
  DISTANCE_ROOT_BITS,
  DISTANCE_SYMBOLS,
  DISTANCE_TABLE_ENTRIES,
  LITERAL_ROOT_BITS,
  LITERAL_SYMBOLS,
  LITERAL_TABLE_ENTRIES,
  PRECODE_ROOT_BITS,
  PRECODE_SYMBOLS,
  PRECODE_TABLE_ENTRIES,
} from './huffman-table.ts';

/** The order in which lengths of the code-length code are stored (RFC 1951 section 3.2.7). */
const PRECODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Code lengths of one block at most: 288 literal/length symbols and 32 distances. */
const CODE_LENGTHS = 320;

/** Bytes that `BlockCodes` allocates. */
export const BLOCK_CODES_BYTES =
  4 * (LITERAL_TABLE_ENTRIES + DISTANCE_TABLE_ENTRIES + PRECODE_TABLE_ENTRIES) + CODE_LENGTHS;

/** The tables, allocated once a stream. */
export class BlockCodes {
  readonly literals = new Int32Array(LITERAL_TABLE_ENTRIES);
  readonly distances = new Int32Array(DISTANCE_TABLE_ENTRIES);
  private readonly precodes = new Int32Array(PRECODE_TABLE_ENTRIES);
  private readonly lengths = new Uint8Array(CODE_LENGTHS);

  /** Sets the codes of block type 1. */
  setFixed(): void {
    const { lengths } = this;
    lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288).fill(5, 288, 320);
    buildTable(this.literals, LITERAL_ROOT_BITS, lengths, 0, 288, LITERAL_SYMBOLS, false);
    buildTable(this.distances, DISTANCE_ROOT_BITS, lengths, 288, 32, DISTANCE_SYMBOLS, false);
  }

  /**
   * Reads the codes of block type 2.
   *
   * @returns `starved` where input ends in them
   */
  read(reader: BitReader): 'go' | 'starved' | 'corrupt' {
    if (!reader.hasBits(14)) return 'starved';
    const literalCount = reader.take(5) + 257;
    const distanceCount = reader.take(5) + 1;
    const precodeCount = reader.take(4) + 4;
    if (literalCount > 286 || distanceCount > 30) {
      return reader.corrupt(`block has ${literalCount} length and ${distanceCount} distance symbols; 286 and 30 exist`);
    }
    const { lengths } = this;
    lengths.fill(0, 0, 19);
    for (let i = 0; i < precodeCount; i++) {
      if (!reader.hasBits(3)) return 'starved';
      lengths[PRECODE_ORDER[i]!] = reader.take(3);
    }
    if (!buildTable(this.precodes, PRECODE_ROOT_BITS, lengths, 0, 19, PRECODE_SYMBOLS, false)) {
      return reader.corrupt('code lengths of the code lengths are no code');
    }
    const step = this.readLengths(reader, literalCount + distanceCount);
    if (step !== 'go') return step;
    if (lengths[256] === 0) return reader.corrupt('block has no end');
    if (!buildTable(this.literals, LITERAL_ROOT_BITS, lengths, 0, literalCount, LITERAL_SYMBOLS, true)) {
      return reader.corrupt('literal code lengths are no code');
    }
    const { distances } = this;
    if (!buildTable(distances, DISTANCE_ROOT_BITS, lengths, literalCount, distanceCount, DISTANCE_SYMBOLS, true)) {
      return reader.corrupt('distance code lengths are no code');
    }
    return 'go';
  }

  /** Reads the code lengths of both codes, which run on from one to the other. */
  private readLengths(reader: BitReader, count: number): 'go' | 'starved' | 'corrupt' {
    const { lengths, precodes } = this;
    let i = 0;
    while (i < count) {
      const entry = reader.code(precodes, PRECODE_ROOT_BITS);
      if (entry === undefined) return 'starved';
      const symbol = entry >>> 16;
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      const repeatBits = symbol === 16 ? 2 : symbol === 17 ? 3 : 7;
      if (!reader.hasBits(repeatBits)) return 'starved';
      if (symbol === 16 && i === 0) return reader.corrupt('code length repeats nothing');
      const repeated = symbol === 16 ? lengths[i - 1]! : 0;
      const repeat = (symbol === 18 ? 11 : 3) + reader.take(repeatBits);
      if (i + repeat > count) return reader.corrupt('code lengths repeat past their end');
      lengths.fill(repeated, i, i + repeat);
      i += repeat;
    }
    return 'go';
  }
}
