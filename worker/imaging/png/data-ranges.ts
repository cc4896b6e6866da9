/** Where a PNG's zlib stream lies: the data of the first IDAT (or fdAT) and of those that follow it without a gap. */

import type { ByteRanges } from '../inflate/inflate.ts';
import type { Chunk } from './chunk.ts';
import { afterChunk, chunkAt, frameData, type PngFile, type PngHeader } from './chunks.ts';

/** Image data is handed to zlib in pieces of this size at most, as Pillow does: checks reach to the end of a piece. */
const PIECE_BYTES = 65_536;

/** Steps through the pieces; chunks are looked for as they are needed, so many small ones cost nothing. */
export class DataRanges implements ByteRanges {
  start = 0;
  end = 0;

  private readonly bytes: Uint8Array;
  private readonly header: PngHeader;
  private chunk: Chunk;
  private chunkEnd: number;

  constructor(bytes: Uint8Array, file: PngFile) {
    this.bytes = bytes;
    this.header = { ...file.header };
    this.chunk = file.data;
    this.chunkEnd = Math.min(bytes.length, file.data.start + file.data.length);
    this.end = file.data.start;
  }

  /** Index behind the chunk that the current piece belongs to, its CRC included. */
  get resumeAt(): number {
    return afterChunk(this.chunk);
  }

  next(): boolean {
    while (this.end >= this.chunkEnd) if (!this.nextChunk()) return false;
    this.start = this.end;
    this.end = Math.min(this.chunkEnd, this.start + PIECE_BYTES);
    return true;
  }

  private nextChunk(): boolean {
    const chunk = chunkAt(this.bytes, this.resumeAt);
    if (chunk === undefined || (chunk.type !== 'IDAT' && chunk.type !== 'fdAT')) return false;
    this.chunk = chunk.type === 'fdAT' ? frameData(this.bytes, chunk, this.header) : chunk;
    this.end = this.chunk.start;
    this.chunkEnd = Math.min(this.bytes.length, this.chunk.start + this.chunk.length);
    return true;
  }
}
