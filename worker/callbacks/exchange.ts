/** What is kept of an attempt to deliver, for people: bounded, and without what signs or identifies. Pure. */

/** Characters of an answer's body that are kept. */
const MAX_BODY = 2048;

/** Headers that are kept, and characters of each. */
const MAX_HEADERS = 24;
const MAX_HEADER = 200;

/** Headers whose values are secrets. */
const SECRET = /authorization|cookie|signature|secret|token|api-?key/i;
const REDACTED = '(redacted)';

/** A request as it was sent, without its body: the same for every attempt of an event. */
export interface SentRequest {
  readonly headers: Readonly<Record<string, string>>;
}

/** An answer as it came. */
export interface ReceivedResponse {
  readonly headers: Readonly<Record<string, string>>;
  /** UTF-8, as far as it is kept; invalid bytes are replaced. */
  readonly body: string;
  /** True if more came than is kept. */
  readonly truncated: boolean;
}

/** A request, and its response if one came. */
export interface Exchange {
  readonly request: SentRequest;
  readonly response: ReceivedResponse | null;
}

/** Headers as they are kept. */
export function keptHeaders(headers: Iterable<readonly [string, string]>): Readonly<Record<string, string>> {
  const kept = [...headers].slice(0, MAX_HEADERS).map(([name, value]) => {
    return [name.slice(0, MAX_HEADER), SECRET.test(name) ? REDACTED : value.slice(0, MAX_HEADER)] as const;
  });
  return Object.fromEntries(kept);
}

/** An answer as it is kept. @param bytes what was read of its body. @param isWhole false if it was not read to its end. */
export function keptResponse(headers: Headers, bytes: Uint8Array, isWhole: boolean): ReceivedResponse {
  const body = new TextDecoder().decode(bytes);
  return {
    headers: keptHeaders(headers),
    body: body.slice(0, MAX_BODY),
    truncated: !isWhole || body.length > MAX_BODY,
  };
}
