/**
 * Trace context: which request a log line, a callback and a call of the GPU backend belong to.
 * Source: W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header
 */
import { toHex } from '../../model-store/sha256.ts';

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = '01';

/** A `traceparent` of version 00. */
export type Traceparent = string;

/**
 * The context of a request: a span of its own in the caller's trace, or in a new trace if the header is absent or invalid.
 * @param header `traceparent` as it came in. Later versions than 00 may be longer; version ff and ids of zeros are invalid.
 */
export function acceptTraceparent(header: string | undefined): Traceparent {
  const [, version, traceId, parentId, flags, more] = TRACEPARENT.exec(header?.trim() ?? '') ?? [];
  const isValid =
    version !== undefined &&
    version !== 'ff' &&
    !(version === '00' && more !== undefined) &&
    !/^0+$/.test(traceId!) &&
    !/^0+$/.test(parentId!);
  return isValid ? format(traceId!, flags!) : startTrace();
}

/** A new trace, for work that no request began. */
export function startTrace(): Traceparent {
  return format(randomHex(16), SAMPLED);
}

/** The header for one outgoing request: the same trace, another span. */
export function childTraceparent(parent: Traceparent): Traceparent {
  return format(traceIdOf(parent), parent.slice(-2));
}

/** The 32 hex digits that every line of a trace has in common. */
export function traceIdOf(traceparent: Traceparent): string {
  return traceparent.slice(3, 35);
}

/** Of the flags only "sampled" is passed on: version 00 has no other. */
function format(traceId: string, flags: string): Traceparent {
  const sampled = (Number.parseInt(flags, 16) & 1).toString().padStart(2, '0');
  return `00-${traceId}-${randomHex(8)}-${sampled}`;
}

function randomHex(bytes: number): string {
  return toHex(crypto.getRandomValues(new Uint8Array(bytes)));
}
