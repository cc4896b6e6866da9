/**
 * One attempt to deliver a callback: judged, signed, sent, with the answer read to its end. Never sent unsigned.
 * The fetch function and the clock are passed in.
 */

import { concatBytes, utf8 } from '../bytes.ts';
import { FetchError } from '../errors.ts';
import { judgeUrl, type UrlPolicy } from '../fetch/url-policy.ts';
import { childTraceparent } from '../observability/trace.ts';
import type { AttemptEnd, DueDelivery } from './delivery.ts';
import { type Exchange, keptHeaders, keptResponse, type ReceivedResponse } from './exchange.ts';
import { parseRetryAfter } from './retry-schedule.ts';
import { parseSigningKey, signMessage } from './standard-webhooks.ts';

/** What is asked of the fetch function: the global `fetch` fits. */
export type CallbackFetch = (
  url: string,
  init: {
    readonly method: 'POST';
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Uint8Array<ArrayBuffer>;
    readonly redirect: 'manual';
    readonly signal: AbortSignal;
  },
) => Promise<Response>;

/** How callbacks are sent. */
export interface CallbackOptions {
  readonly fetch: CallbackFetch;
  readonly urlPolicy: UrlPolicy;
  /** Signing keys of the receiver of a URL; empty where there is none. */
  secretsFor(url: string): readonly string[];
  readonly timeoutMs: number;
  now(): number;
}

/** How an attempt ended, and what the receiver asked for. */
export interface CallbackResult extends AttemptEnd {
  /** In ms from now; null where it asked for nothing. */
  readonly retryAfterMs: number | null;
}

/** Bytes of an answer that are read; what follows is not waited for. */
const MAX_ANSWER_BYTES = 4096;

/** Sends a callback once. Never throws. */
export async function sendCallback(delivery: DueDelivery, options: CallbackOptions): Promise<CallbackResult> {
  const { traceparent } = delivery;
  const secrets = options.secretsFor(delivery.url);
  if (secrets.length === 0) {
    return failed('no_secret', null, 'no receiver with a secret is configured for this URL', null);
  }
  try {
    const url = judgeUrl(delivery.url, options.urlPolicy);
    const body = utf8(delivery.payload);
    const timestampSeconds = Math.floor(options.now() / 1000);
    const signature = await signMessage({ id: delivery.id, timestampSeconds }, body, secrets.map(parseSigningKey));
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'bit-edge',
      'webhook-id': delivery.id,
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': signature,
      ...(traceparent === undefined || traceparent === null ? {} : { traceparent: childTraceparent(traceparent) }),
    };
    return await post(url.href, headers, body, options);
  } catch (error) {
    if (error instanceof FetchError) return failed('not_allowed', null, error.message, null);
    return failed('network', null, error instanceof Error ? error.message : String(error), null);
  }
}

async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array<ArrayBuffer>,
  options: CallbackOptions,
): Promise<CallbackResult> {
  const controller = new AbortController();
  const { promise: expired, resolve: expire } = Promise.withResolvers<'expired'>();
  const timer = setTimeout(() => {
    expire('expired');
    controller.abort();
  }, options.timeoutMs);
  let status: number | null = null;
  let received: ReceivedResponse | null = null;
  const seen = (): Exchange => ({ request: { headers: keptHeaders(Object.entries(headers)) }, response: received });
  const exchange = async (): Promise<CallbackResult> => {
    const init = { method: 'POST', headers, body, redirect: 'manual', signal: controller.signal } as const;
    const response = await options.fetch(url, init);
    status = response.status;
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), options.now());
    await readAnswer(response, (bytes, isWhole) => {
      received = keptResponse(response.headers, bytes, isWhole);
    });
    return { ...judgeStatus(status), exchange: seen(), retryAfterMs };
  };
  try {
    const result = await Promise.race([exchange(), expired]);
    return result === 'expired'
      ? failed('timeout', status, `no answer within ${options.timeoutMs} ms`, seen())
      : result;
  } catch (error) {
    // A 2xx whose body breaks off counts as failed: the receiver may have died with the event in its hands.
    return failed('network', status, error instanceof Error ? error.message : String(error), seen());
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

function judgeStatus(status: number): Omit<AttemptEnd, 'exchange'> {
  if (status >= 200 && status < 300) return { outcome: 'delivered', status, detail: null };
  if (status >= 300 && status < 400) return { outcome: 'redirect', status, detail: 'redirects are not followed' };
  if (status === 410) return { outcome: 'gone', status, detail: 'the receiver wants no more callbacks' };
  return { outcome: 'status', status, detail: null };
}

/** @param onBytes called with the body so far, before it is read and after each part: an answer may break off. */
async function readAnswer(response: Response, onBytes: (bytes: Uint8Array, isWhole: boolean) => void): Promise<void> {
  onBytes(new Uint8Array(0), response.body === null);
  if (response.body === null) return;
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  let read: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  while (read.byteLength < MAX_ANSWER_BYTES) {
    const { done, value } = await reader.read();
    if (done) return onBytes(read, true);
    read = concatBytes(read, value.subarray(0, MAX_ANSWER_BYTES - read.byteLength));
    onBytes(read, false);
  }
  reader.cancel().catch(() => undefined);
}

function failed(
  outcome: AttemptEnd['outcome'],
  status: number | null,
  detail: string,
  exchange: Exchange | null,
): CallbackResult {
  return { outcome, status, detail: detail.slice(0, 300), exchange, retryAfterMs: null };
}
