/** Routes that take a body lease its memory first, and give it back however they end. */
import type { Context } from 'hono';
import { type AppEnvironment, DECODE_HEADROOM_BYTES } from '../services.ts';
import { bodyLeaseBytes } from './request-body.ts';

/**
 * Answers a request whose body is in memory while `answer` runs.
 * @param answer is given the largest body to read, in bytes: the configured limit, or what the isolate has room for beside its model.
 * @throws RuntimeError `memory_budget_exceeded`, `overloaded`; and as `answer` does.
 */
export async function withBody(
  c: Context<AppEnvironment>,
  answer: (maxBytes: number) => Promise<Response>,
): Promise<Response> {
  const { budget, config } = c.var.services;
  const room = Math.max(0, budget.capacityBytes - DECODE_HEADROOM_BYTES);
  const maxBytes = Math.min(config.maxBodyBytes, room);
  const wanted = Math.min(bodyLeaseBytes(c.req.raw, maxBytes), room);
  const start = Date.now();
  const lease = await budget.acquire(wanted, 'the request body', DECODE_HEADROOM_BYTES);
  c.var.record.queueMs = Date.now() - start;
  try {
    return await answer(maxBytes);
  } finally {
    lease.release();
  }
}
