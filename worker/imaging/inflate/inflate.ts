/**
 * zlib decompression (RFC 1950, RFC 1951) that stops where the image ends.
 *
 * Input is read in place, in the pieces in which it lies (PNG splits one stream over many IDAT chunks). Output goes
 * through one fixed window to a consumer, so memory does not depend on the size of the stream; bytes beyond `maxBytes`
 * are never produced, so a bomb costs what its image costs. Why this and not the platform's `DecompressionStream`: see
 * docs/decisions/005.
 */
import { BitReader, type ByteRanges } from './bit-reader.ts';
import { BLOCK_CODES_BYTES, BlockCodes } from './block-codes.ts';
import { type InflateConsumer, OutputWindow, windowBytes } from './output-window.ts';
import { decodeSymbols } from './symbols.ts';

export type { ByteRanges } from './bit-reader.ts';
export type { InflateConsumer } from './output-window.ts';

/**
 * How it ended:
 * `full` - `maxBytes` were produced and nothing up to there is wrong;
 * `ended` - the stream ended, its checksum right, before that;
 * `truncated` - input ran out; `corrupt` - the stream is damaged, `reason` says how.
 */
export interface InflateResult {
  readonly status: 'full' | 'ended' | 'truncated' | 'corrupt';
  /** Bytes produced and offered to the consumer. */
  readonly producedBytes: number;
  readonly reason: string;
}

/** Bytes that inflating allocates at most. */
export function inflateMemoryBytes(unitBytes: number): number {
  return windowBytes(unitBytes) + BLOCK_CODES_BYTES;
}

/**
 * Inflates one zlib stream.
 *
 * @param input the file
 * @param ranges the pieces of the stream in `input`; left at the one in which reading stopped
 * @param maxBytes output to stop at. The stream is then checked up to its next output byte or to the end of the
 *   current piece, as zlib does when it has filled a buffer: a wrong checksum right behind the image is an error
 * @param unitBytes most bytes that the consumer leaves untaken
 */
export function inflate(
  input: Uint8Array,
  ranges: ByteRanges,
  maxBytes: number,
  unitBytes: number,
  consumer: InflateConsumer,
): InflateResult {
  const reader = new BitReader(input, ranges);
  const output = new OutputWindow(maxBytes, unitBytes, consumer);
  let step = header(reader);
  if (step === 'go') step = blocks(reader, output);
  output.flush();
  if (step === 'end') step = trailer(reader, output);
  // Input that ends behind the last wanted byte was not needed.
  if (step === 'starved' || step === 'go') step = output.left === 0 ? 'full' : 'starved';
  return {
    status: step === 'end' ? 'ended' : step === 'starved' ? 'truncated' : step,
    producedBytes: output.slidBytes + output.out,
    reason: reader.reason,
  };
}

/** As `SymbolStep`, of the stream. */
type Step = 'go' | 'end' | 'full' | 'starved' | 'corrupt';

function header(reader: BitReader): Step {
  if (!reader.hasBits(16)) return 'starved';
  const cmf = reader.take(8);
  const flags = reader.take(8);
  if (((cmf << 8) | flags) % 31 !== 0) return reader.corrupt('zlib header check is wrong');
  if ((cmf & 15) !== 8) return reader.corrupt(`zlib compression method is ${cmf & 15}; only 8 exists`);
  if (cmf >> 4 > 7) return reader.corrupt(`zlib window is 2^${(cmf >> 4) + 8} bytes; at most 2^15 exist`);
  if ((flags & 0x20) !== 0) return reader.corrupt('zlib stream needs a preset dictionary');
  return 'go';
}

function blocks(reader: BitReader, output: OutputWindow): Step {
  const codes = new BlockCodes();
  for (;;) {
    if (!reader.hasBits(3)) return 'starved';
    const isLast = reader.take(1) === 1;
    const step = block(reader.take(2), reader, output, codes);
    if (step !== 'end' || isLast) return step;
  }
}

function block(type: number, reader: BitReader, output: OutputWindow, codes: BlockCodes): Step {
  switch (type) {
    case 0:
      return stored(reader, output);
    case 1:
      codes.setFixed();
      return decodeSymbols(reader, output, codes);
    case 2: {
      const step = codes.read(reader);
      return step === 'go' ? decodeSymbols(reader, output, codes) : step;
    }
    default:
      return reader.corrupt('block type 3 does not exist');
  }
}

/** RFC 1951 section 3.2.4. */
function stored(reader: BitReader, output: OutputWindow): Step {
  reader.alignToByte();
  if (!reader.hasBits(16)) return 'starved';
  let length = reader.take(16);
  if (!reader.hasBits(16)) return 'starved';
  if (reader.take(16) !== (length ^ 0xffff)) return reader.corrupt('stored block length does not match its complement');
  while (length > 0) {
    if (output.left === 0) return 'full';
    output.makeRoom();
    let count = 1;
    if (reader.bits > 0) {
      output.data[output.out] = reader.take(8);
    } else {
      if (!reader.hasByte()) return 'starved';
      count = Math.min(length, reader.end - reader.pos, output.room, output.left);
      output.data.set(reader.input.subarray(reader.pos, reader.pos + count), output.out);
      reader.pos += count;
    }
    output.out += count;
    output.left -= count;
    length -= count;
    reader.confined = output.left === 0;
  }
  return 'end';
}

/** RFC 1950 section 2.2: Adler-32, high byte first. */
function trailer(reader: BitReader, output: OutputWindow): Step {
  reader.alignToByte();
  if (!reader.hasBits(16)) return 'starved';
  const high = (reader.take(8) << 8) | reader.take(8);
  if (!reader.hasBits(16)) return 'starved';
  const low = (reader.take(8) << 8) | reader.take(8);
  if (!output.hasChecksum(high, low)) return reader.corrupt('zlib checksum does not match the data');
  return output.left === 0 ? 'full' : 'end';
}
