/**
 * Finds the parts of a `multipart/form-data` body while it arrives. Nothing is copied: a part is a range of the body, and only the
 * headers of one part are held at a time. A form that is over a limit is refused at the byte where it is. Pure.
 * Source: RFC 2046 section 5.1.1 (delimiters, preamble, epilogue), RFC 7578.
 */
import { RequestError } from '../errors.ts';
import { type PartHeaders, parsePartHeaders } from './part-headers.ts';

/** A part, its content at `start` to `end` of the body. */
export interface FormPart extends PartHeaders {
  readonly start: number;
  readonly end: number;
}

/** What a form may be made of. */
export interface FormLimits {
  /**
   * Told of each part when its headers are read.
   * @returns the most bytes that its content may have.
   * @throws where there may be no such part.
   */
  accept(part: PartHeaders): number;
}

/** Most bytes of one part's headers: a file name may be long. */
export const MAX_PART_HEADER_BYTES = 8192;

const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const SPACE = 0x20;
const TAB = 0x09;

type State = 'content' | 'delimiter-end' | 'closing' | 'line-end' | 'headers' | 'epilogue';

/** One form. */
export class MultipartScanner {
  readonly #limits: FormLimits;
  /** CR LF -- boundary. A body begins as if a line end were before it. */
  readonly #delimiter: Uint8Array;
  readonly #parts: FormPart[] = [];
  readonly #header = new Uint8Array(MAX_PART_HEADER_BYTES);
  #headerLength = 0;
  #state: State = 'content';
  /** Bytes of the delimiter that the bytes before `#offset` match. */
  #matched = 2;
  /** Bytes of the body before this chunk. */
  #offset = 0;
  /** The part whose content is being read; null in the preamble. */
  #part: PartHeaders | null = null;
  #partStart = 0;
  #maxPartBytes = Number.POSITIVE_INFINITY;

  constructor(boundary: string, limits: FormLimits) {
    this.#delimiter = new TextEncoder().encode(`\r\n--${boundary}`);
    this.#limits = limits;
  }

  /** Reads on. @throws RequestError `invalid_body`, `body_too_large`; what `accept` throws. */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && this.#state !== 'epilogue'; ) {
      at = this.#state === 'content' ? this.#readContent(chunk, at) : this.#readMarkup(chunk[at]!, at);
    }
    this.#offset += chunk.length;
    if (this.#state === 'content') this.#checkLength(this.#offset - this.#delimiter.length);
  }

  /** The parts of a whole body. @throws RequestError `invalid_body` where the body ends before its last delimiter. */
  finish(): readonly FormPart[] {
    if (this.#state === 'epilogue') return this.#parts;
    throw new RequestError('invalid_body', `the form of ${this.#offset} bytes ends before its last boundary`);
  }

  /** Looks for the delimiter. Its only CR is its first byte, so a mismatch never needs a look back. */
  #readContent(chunk: Uint8Array, start: number): number {
    const delimiter = this.#delimiter;
    for (let at = start; at < chunk.length; at++) {
      if (this.#matched === 0) {
        at = chunk.indexOf(CR, at);
        if (at < 0) break;
      }
      const byte = chunk[at]!;
      if (byte !== delimiter[this.#matched]) {
        this.#matched = byte === CR ? 1 : 0;
        continue;
      }
      this.#matched++;
      if (this.#matched < delimiter.length) continue;
      this.#endPart(this.#offset + at + 1 - delimiter.length);
      this.#state = 'delimiter-end';
      return at + 1;
    }
    return chunk.length;
  }

  /** One byte of a delimiter's line or of headers. @returns where reading goes on. */
  #readMarkup(byte: number, at: number): number {
    switch (this.#state) {
      case 'delimiter-end':
        if (byte === DASH) this.#state = 'closing';
        else if (byte === CR) this.#state = 'line-end';
        else if (byte !== SPACE && byte !== TAB) throw malformed('a boundary is followed by other text');
        return at + 1;
      case 'closing':
        if (byte !== DASH) throw malformed('a boundary is followed by a single dash');
        this.#state = 'epilogue';
        return at + 1;
      case 'line-end':
        if (byte !== LF) throw malformed('a boundary ends in a carriage return without a line feed');
        // The line end counts as the headers' own, so that a part without any ends at once.
        this.#header.set([CR, LF]);
        this.#headerLength = 2;
        this.#state = 'headers';
        return at + 1;
      default:
        this.#readHeaderByte(byte, at);
        return at + 1;
    }
  }

  #readHeaderByte(byte: number, at: number): void {
    if (this.#headerLength === MAX_PART_HEADER_BYTES) {
      throw new RequestError('body_too_large', `a part has headers of over ${MAX_PART_HEADER_BYTES} bytes`, {
        details: { limit_bytes: MAX_PART_HEADER_BYTES },
      });
    }
    const header = this.#header;
    header[this.#headerLength++] = byte;
    const end = this.#headerLength - 4;
    if (byte !== LF || end < 0 || header[end] !== CR || header[end + 1] !== LF || header[end + 2] !== CR) return;
    this.#part = parsePartHeaders(new TextDecoder().decode(header.subarray(2, Math.max(2, end))));
    this.#maxPartBytes = this.#limits.accept(this.#part);
    this.#partStart = this.#offset + at + 1;
    // A delimiter may follow the empty line directly: then the part is empty.
    this.#matched = 2;
    this.#state = 'content';
  }

  #endPart(end: number): void {
    if (this.#part === null) return;
    this.#checkLength(end);
    this.#parts.push({ ...this.#part, start: this.#partStart, end: Math.max(this.#partStart, end) });
  }

  #checkLength(end: number): void {
    if (this.#part === null || end - this.#partStart <= this.#maxPartBytes) return;
    throw new RequestError(
      'body_too_large',
      `the field "${this.#part.name.slice(0, 80)}" is over ${this.#maxPartBytes} bytes`,
      { details: { limit_bytes: this.#maxPartBytes } },
    );
  }
}

function malformed(what: string): RequestError {
  return new RequestError('invalid_body', `the body is not valid multipart/form-data: ${what}`);
}
