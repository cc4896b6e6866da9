/** Routes that take a body lease its memory first, and give it back however they end. */
import type { Context } from 'hono';
import { type AppEnvironment, bodyHeadroomBytes, imageRoom } from '../services.ts';
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
  const { services } = c.var;
  const { budget } = services;
  const headroom = bodyHeadroomBytes(services);
  const maxBytes = imageRoom(services);
  const wanted = Math.min(bodyLeaseBytes(c.req.raw, maxBytes), Math.max(0, budget.capacityBytes - headroom));
  const start = Date.now();
  const lease = await budget.acquire(wanted, 'the request body', headroom);
  c.var.record.queueMs = Date.now() - start;
  try {
    return await answer(maxBytes);
  } finally {
    lease.release();
  }
}
