/**
 * A large file in pieces, each given back as soon as it has been read: while a session is made, a weight is in JavaScript or in
 * the WASM heap, never all of them in both. Pure, no I/O.
 */
import { discard } from './byte-source.ts';

/** Size of every piece but the last. */
export const PIECE_BYTES = 1024 * 1024;

/** Stands for a piece that was given back. */
const NOTHING = new ArrayBuffer(0);

/** A file whose every byte is read once at most, in any order; what no one reads goes with `release`. */
export class PieceFile {
  readonly byteLength: number;
  readonly #pieces: ArrayBuffer[];
  /** Bytes of each piece that were not read yet. */
  readonly #unread: number[];
  /** Memory that the last `subarray` gave out; its reader is done once there is another call. */
  #spent: ArrayBuffer[] = [];

  /** @param pieces of `PIECE_BYTES` each, the last one as long as the rest. They belong to the file from now on. */
  constructor(pieces: readonly ArrayBuffer[]) {
    this.#pieces = [...pieces];
    this.#unread = pieces.map((piece) => piece.byteLength);
    this.byteLength = this.#unread.reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Bytes `begin` to `end`, until the next call.
   * @throws RangeError where they were read before, or lie outside.
   */
  subarray(begin: number, end: number): Uint8Array<ArrayBuffer> {
    this.#discardSpent();
    const first = Math.floor(begin / PIECE_BYTES);
    const last = Math.floor(Math.max(begin, end - 1) / PIECE_BYTES);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let index = first; index <= last; index++) parts.push(this.#take(index, begin, end));
    if (parts.length === 1) return parts[0]!;
    const joined = new Uint8Array(end - begin);
    let offset = 0;
    for (const part of parts) {
      joined.set(part, offset);
      offset += part.byteLength;
    }
    this.#discardSpent();
    this.#spent.push(joined.buffer);
    return joined;
  }

  /** Gives everything back. */
  release(): void {
    this.#discardSpent();
    for (const piece of this.#pieces) discard(piece);
    this.#pieces.length = 0;
  }

  #take(index: number, begin: number, end: number): Uint8Array<ArrayBuffer> {
    const piece = this.#pieces[index];
    const start = index * PIECE_BYTES;
    const from = Math.max(begin - start, 0);
    const to = Math.min(end - start, PIECE_BYTES);
    const left = (this.#unread[index] ?? 0) - (to - from);
    if (piece === undefined || from < 0 || to > piece.byteLength || left < 0) {
      throw new RangeError(`bytes ${begin} to ${end} of ${this.byteLength} were read already, or are not there`);
    }
    this.#unread[index] = left;
    if (left === 0) {
      this.#spent.push(piece);
      this.#pieces[index] = NOTHING;
    }
    return new Uint8Array(piece, from, to - from);
  }

  #discardSpent(): void {
    for (const memory of this.#spent) discard(memory);
    this.#spent = [];
  }
}
