/** Routes that take a body lease its memory first, and give it back however they end. */
import type { Context } from 'hono';
import { discard } from '../../model-store/byte-source.ts';
import type { ModelReference } from '../inference/classifier.ts';
import { type AppEnvironment, bodyHeadroomBytes, imageRoom, likelyLoadRoom } from '../services.ts';
import { type BodyMemory, bodyLeaseBytes } from './request-body.ts';

/**
 * Answers a request whose body is in memory while `answer` runs, and no longer: what was read of it is gone afterwards.
 * @param reference the model that will answer, where the request says so before its body is read: room for its load stays free,
 * because it could not begin while bodies that wait for it hold its memory. Null where only the body says.
 * @param answer is given the largest body to read, in bytes: the configured limit, or what the isolate has room for beside its model.
 * @throws RuntimeError `memory_budget_exceeded`, `overloaded`; ModelError as `ModelHost.loadRoom`; and as `answer` does.
 */
export async function withBody(
  c: Context<AppEnvironment>,
  reference: ModelReference | null,
  answer: (memory: BodyMemory) => Promise<Response>,
): Promise<Response> {
  const { services, record } = c.var;
  const { budget, host } = services;
  const loadRoom =
    reference === null ? await likelyLoadRoom(services) : await host.loadRoom(reference.name, reference.reference);
  const headroom = (): number => bodyHeadroomBytes(services, loadRoom);
  const maxBytes = imageRoom(services, loadRoom);
  const wanted = Math.min(bodyLeaseBytes(c.req.raw, maxBytes), Math.max(0, budget.capacityBytes - headroom()));
  const start = Date.now();
  const lease = await budget.acquire(wanted, 'the request body', headroom);
  record.queueMs = Date.now() - start;
  const buffers: ArrayBuffer[] = [];
  const memory: BodyMemory = {
    maxBytes,
    hold: (buffer) => void buffers.push(buffer),
    settle(bytes) {
      buffers.splice(0).forEach(discard);
      lease.shrink(bytes);
    },
  };
  try {
    return await answer(memory);
  } finally {
    buffers.forEach(discard);
    lease.release();
  }
}
