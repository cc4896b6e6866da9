/**
 * A look at the shape of JSON text ahead of `JSON.parse`: how deep it nests and how many values it holds. A parsed value takes up to
 * fifty times the bytes of its text, and what checks it may make an object per element; this pass takes neither. It runs on chunks
 * as they arrive, so that a body is refused at the byte that goes over a limit. It validates nothing: `JSON.parse` does, and up to
 * the first fault in the text both see the same values. Pure.
 */
import { RequestError } from './errors.ts';

/** What JSON text may hold. */
export interface JsonLimits {
  /** Arrays and objects within one another. */
  readonly maxDepth: number;
  /** Scalars, arrays, objects and member names, together; without those below a `bulk` member. */
  readonly maxValues: number;
  /** A member that may hold far more: a tensor's `data`, the inputs of a job. Counted apart, all members of that name together. */
  readonly bulk?: BulkLimits;
}

/** What members of one name may hold. */
export interface BulkLimits {
  readonly member: string;
  readonly maxValues: number;
  /** Arrays and objects alone, which take far more memory than their text. */
  readonly maxContainers: number;
}

/** Longest member name, in bytes of its text: names are repeated in error messages. */
const MAX_NAME_BYTES = 256;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACKET_OPEN = 0x5b;
const BACKSLASH = 0x5c;
const BRACKET_CLOSE = 0x5d;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

/** @throws RequestError as `JsonShape.push`. */
export function checkJsonShape(text: Uint8Array, limits: JsonLimits): void {
  new JsonShape(limits).push(text);
}

/** Counts a text's values as it arrives. */
export class JsonShape {
  readonly #limits: JsonLimits;
  readonly #bulkName: Uint8Array;
  /** By depth: 1 for an object. */
  readonly #isObject: Uint8Array;
  #depth = 0;
  #values = 0;
  #bulkValues = 0;
  #bulkContainers = 0;
  /** Depth of the container whose member is being counted as bulk; -1 outside. */
  #bulkDepth = -1;
  #inScalar = false;
  #inString = false;
  #escaped = false;
  /** The next string is a member's name, or this one is. */
  #atName = false;
  #nameBytes = 0;
  /** Whether the name read so far begins as the bulk member's. */
  #nameFits = false;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
    this.#bulkName = new TextEncoder().encode(limits.bulk?.member ?? '');
    this.#isObject = new Uint8Array(limits.maxDepth + 1);
  }

  /**
   * Counts the values that begin in the next chunk.
   * @throws RequestError `invalid_body` for what nests too deep or has too long a name, `body_too_large` for too many values.
   */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#inString) {
        at = this.#atName ? this.#readName(chunk, at) : this.#skipString(chunk, at);
        continue;
      }
      this.#readByte(chunk[at]!);
      at++;
    }
  }

  #readByte(byte: number): void {
    switch (byte) {
      case QUOTE:
        this.#inScalar = false;
        this.#inString = true;
        this.#nameBytes = 0;
        this.#nameFits = this.#limits.bulk !== undefined;
        this.#count();
        return;
      case BRACE_OPEN:
      case BRACKET_OPEN:
        this.#open(byte === BRACE_OPEN);
        return;
      case BRACE_CLOSE:
      case BRACKET_CLOSE:
        this.#inScalar = false;
        this.#atName = false;
        if (this.#depth > 0) this.#depth--;
        if (this.#depth <= this.#bulkDepth) this.#bulkDepth = -1;
        return;
      case COMMA:
        this.#inScalar = false;
        this.#atName = this.#isObject[this.#depth] === 1;
        if (this.#depth === this.#bulkDepth) this.#bulkDepth = -1;
        return;
      case COLON:
        this.#inScalar = false;
        this.#atName = false;
        if (this.#bulkDepth < 0 && this.#nameFits && this.#nameBytes === this.#bulkName.length) {
          this.#bulkDepth = this.#depth;
        }
        return;
      case 0x20:
      case 0x09:
      case 0x0a:
      case 0x0d:
        this.#inScalar = false;
        return;
      default:
        if (this.#inScalar) return;
        this.#inScalar = true;
        this.#count();
    }
  }

  #open(isObject: boolean): void {
    this.#inScalar = false;
    this.#count();
    const { maxDepth, bulk } = this.#limits;
    if (this.#depth === maxDepth) {
      throw new RequestError('invalid_body', `the JSON body nests over ${maxDepth} deep`, {
        details: { max_depth: maxDepth },
      });
    }
    if (bulk !== undefined && this.#bulkDepth >= 0) {
      this.#bulkContainers++;
      if (this.#bulkContainers > bulk.maxContainers) {
        throw tooMany(`arrays and objects in "${bulk.member}"`, bulk.maxContainers);
      }
    }
    this.#depth++;
    this.#isObject[this.#depth] = isObject ? 1 : 0;
    this.#atName = isObject;
  }

  #count(): void {
    const { maxValues, bulk } = this.#limits;
    if (bulk !== undefined && this.#bulkDepth >= 0) {
      this.#bulkValues++;
      if (this.#bulkValues > bulk.maxValues) throw tooMany(`values in "${bulk.member}"`, bulk.maxValues);
      return;
    }
    this.#values++;
    if (this.#values > maxValues) throw tooMany('values', maxValues);
  }

  /** A name, byte by byte: it is short. @returns where reading goes on. */
  #readName(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === QUOTE && !this.#escaped) {
        this.#inString = false;
        return at + 1;
      }
      this.#escaped = byte === BACKSLASH && !this.#escaped;
      // A name that is written with escapes does not count as bulk: the stricter limit holds for it.
      if (this.#bulkName[this.#nameBytes] !== byte) this.#nameFits = false;
      this.#nameBytes++;
      if (this.#nameBytes > MAX_NAME_BYTES) {
        throw new RequestError('invalid_body', `the JSON body has a member name of over ${MAX_NAME_BYTES} bytes`);
      }
    }
    return chunk.length;
  }

  /** A value, from quote to quote: it may be an image in base64. @returns where reading goes on. */
  #skipString(chunk: Uint8Array, start: number): number {
    let from = start;
    if (this.#escaped) {
      this.#escaped = false;
      from++;
    }
    while (from < chunk.length) {
      const quote = chunk.indexOf(QUOTE, from);
      const end = quote < 0 ? chunk.length : quote;
      let backslashes = 0;
      while (end - backslashes > from && chunk[end - 1 - backslashes] === BACKSLASH) backslashes++;
      const isEscaped = backslashes % 2 === 1;
      if (quote < 0) {
        this.#escaped = isEscaped;
        return chunk.length;
      }
      if (!isEscaped) {
        this.#inString = false;
        return quote + 1;
      }
      from = quote + 1;
    }
    return chunk.length;
  }
}

function tooMany(what: string, limit: number): RequestError {
  return new RequestError('body_too_large', `the JSON body holds over ${limit} ${what}`, {
    details: { limit_values: limit },
  });
}
