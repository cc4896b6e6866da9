/**
 * An image as a JSON list of bytes, `{"image": [255, 216, ...]}`: read straight from the text, because a parsed list takes many times
 * the image's memory. Pure. Source: Cloudflare, "Workers AI: resnet-50", API schemas.
 */
import { RequestError } from '../../errors.ts';

/** What was read, and the text around it. */
export interface ByteList {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The JSON with `""` in place of the list. */
  readonly rest: string;
}

/** JSON's blanks (RFC 8259 section 2). */
const BLANKS = '[ \\t\\n\\r]*';

/** Looked through for the beginning of the list. */
const PREFIX_BYTES = 256;

/** Longest number that is read, in characters. */
const MAX_NUMBER_LENGTH = 40;

const COMMA = 0x2c;
const ZERO = 0x30;
const BRACKET_CLOSE = 0x5d;

/**
 * Reads the list that a body begins with.
 * @returns null where the body does not begin with `member` and a list.
 * @throws RequestError `invalid_parameter` naming the element that is no byte; `invalid_body` where the list does not end.
 */
export function takeByteList(body: Uint8Array, member: string): ByteList | null {
  const start = new RegExp(`^(?:\u00ef\u00bb\u00bf)?${BLANKS}\\{${BLANKS}"${member}"${BLANKS}:${BLANKS}\\[`).exec(
    latin1(body.subarray(0, PREFIX_BYTES)),
  );
  if (start === null) return null;
  const bytes = new Uint8Array((body.length >> 1) + 1);
  let count = 0;
  let at = skipBlanks(body, start[0].length);
  while (at < body.length && body[at] !== BRACKET_CLOSE) {
    if (count > 0) {
      if (body[at] !== COMMA) throw notAByte(body, at, member, count);
      at = skipBlanks(body, at + 1);
    }
    const end = endOfNumber(body, at);
    bytes[count] = parseByte(body, at, end, member, count);
    count++;
    at = skipBlanks(body, end);
  }
  if (at >= body.length) throw new RequestError('invalid_body', `"${member}" is a list without an end`);
  const after = new TextDecoder().decode(body.subarray(at + 1));
  return { bytes: bytes.slice(0, count), rest: `{"${member}":""${after}` };
}

function parseByte(body: Uint8Array, start: number, end: number, member: string, element: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = body[at]! - ZERO;
    if (digit < 0 || digit > 9) {
      // 1.0 and 1e2 are JSON, too.
      value = Number(latin1(body.subarray(start, end)));
      break;
    }
    value = 10 * value + digit;
  }
  const hasLeadingZero = end - start > 1 && body[start] === ZERO && value !== 0;
  if (end === start || hasLeadingZero || !Number.isInteger(value) || value < 0 || value > 255) {
    throw notAByte(body, start, member, element);
  }
  return value;
}

function endOfNumber(body: Uint8Array, start: number): number {
  let at = start;
  const limit = Math.min(body.length, start + MAX_NUMBER_LENGTH);
  while (at < limit && body[at] !== COMMA && body[at] !== BRACKET_CLOSE && !isBlank(body[at]!)) at++;
  return at;
}

function skipBlanks(body: Uint8Array, start: number): number {
  let at = start;
  while (at < body.length && isBlank(body[at]!)) at++;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function notAByte(body: Uint8Array, at: number, member: string, element: number): RequestError {
  const given = new TextDecoder().decode(body.subarray(at, Math.max(at + 1, endOfNumber(body, at))));
  return new RequestError('invalid_parameter', `"${member}": element ${element} is ${given}: no byte`, {
    details: { parameter: member, element },
  });
}
