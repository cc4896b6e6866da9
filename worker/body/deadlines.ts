/** How long a client may take to send a body. The clock and the timer are passed in. */
import type { ByteSource, Filled } from '../../model-store/byte-source.ts';
import { RequestError } from '../errors.ts';

/** What a body is given. */
export interface BodyDeadlines {
  /** Longest wait for the next byte, in ms. */
  readonly idleMs: number;
  /** Longest time of all waits together, in ms; what the worker waits for memory does not count. */
  readonly totalMs: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back after `ms`; returns a way to call it off. */
  after(ms: number, call: () => void): () => void;
}

/**
 * A source that fails if its client is too slow or disconnects, as the client's error rather than a defect.
 * @throws RequestError `body_timeout`, `invalid_body`, from `read`.
 */
export function withDeadlines(source: ByteSource, deadlines: BodyDeadlines): ByteSource {
  let bytes = 0;
  let waitedMs = 0;
  return {
    async read(buffer, offset) {
      const { idleMs, totalMs, now, after } = deadlines;
      const start = now();
      const left = totalMs - waitedMs;
      const filled = await new Promise<Filled>((resolve, reject) => {
        const callOff = after(Math.max(0, Math.min(idleMs, left)), () => {
          const isIdle = idleMs <= left;
          const what = isIdle ? `no byte of the body came for ${idleMs} ms` : `the body took over ${totalMs} ms`;
          const limit = isIdle ? idleMs : totalMs;
          reject(
            new RequestError('body_timeout', `${what}, after ${bytes} bytes`, { details: { bytes, limit_ms: limit } }),
          );
        });
        const brokeOff = (cause: unknown): void => {
          const message = `the body broke off after ${bytes} bytes`;
          reject(new RequestError('invalid_body', message, { details: { bytes }, cause }));
        };
        source.read(buffer, offset).then(resolve, brokeOff).finally(callOff);
      });
      waitedMs += now() - start;
      bytes += filled.length;
      return filled;
    },
    cancel: (reason) => source.cancel(reason),
  };
}
