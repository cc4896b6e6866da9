/** Routes that take a body lease its memory as it arrives, and give it back however they end. */
import type { Context } from 'hono';
import { discard, openByteSource } from '../../../model-store/byte-source.ts';
import { refuseContentEncoding } from '../../body/content-encoding.ts';
import { withDeadlines } from '../../body/deadlines.ts';
import { EARLY_SHARE } from '../../body/growing-read.ts';
import { RequestError } from '../../errors.ts';
import type { ModelReference } from '../../inference/classifier.ts';
import type { Lease } from '../../inference/memory-budget.ts';
import type { StoredStream } from '../../jobs/store-stream.ts';
import type { JsonLimits } from '../../json-shape.ts';
import { bodyHeadroomBytes, imageRoom, likelyLoadRoom } from '../../memory-policy.ts';
import type { AppEnvironment } from '../../services.ts';
import { type BodyMemory, bodyCopies, endBody, readJsonObject, SMALL_JSON } from './request-body.ts';

/** What a body is for. */
export interface BodyUse {
  /**
   * The model that will answer, where the request says so before its body is read: room for its load stays free, because it could
   * not begin while bodies that wait for it hold its memory. Null where only the body says, or no model answers.
   */
  readonly reference: ModelReference | null;
  /** Largest body, in bytes. Default: the configured limit, or what the isolate has room for beside its model. */
  readonly maxBytes?: number;
  /** How often a body is in memory at once, with what is made of it. Default: as its media type says. */
  readonly copies?: number;
}

/**
 * Answers a request whose body is in memory while `answer` runs, and no longer: what was read of it is gone afterwards. While it
 * arrives it holds what has arrived, and counts against its caller alone; then it waits for its turn.
 * @throws RequestError `too_many_uploads`; RuntimeError `memory_budget_exceeded`, `overloaded`; ModelError as `ModelHost.loadRoom`;
 * and as `answer` does.
 */
export async function withBody<T>(
  c: Context<AppEnvironment>,
  use: BodyUse,
  answer: (memory: BodyMemory) => Promise<T>,
): Promise<T> {
  const { services, record } = c.var;
  const { budget, host, heads, uploads, bodyDeadlines } = services;
  const { reference } = use;
  const leave = uploads.enter(c.var.caller ?? null);
  const lease = budget.open();
  const buffers: ArrayBuffer[] = [];
  let turn: Lease | null = null;
  try {
    const model = reference === null ? null : await heads.networkOf(reference);
    const loadRoom = model === null ? await likelyLoadRoom(services) : await host.loadRoom(model.name, model.reference);
    const headroom = (): number => bodyHeadroomBytes(services, loadRoom);
    const maxBytes = Math.min(use.maxBytes ?? Number.POSITIVE_INFINITY, imageRoom(services, loadRoom));
    const copies = use.copies ?? bodyCopies(c.req.raw);
    const grow = async (bytes: number): Promise<void> => {
      const start = Date.now();
      // Copies may be more than there is room for: then they are not all there at once.
      const room = Math.max(0, budget.capacityBytes - headroom());
      await lease.grow(Math.min(bytes, room), 'the request body', headroom);
      record.queueMs = (record.queueMs ?? 0) + Date.now() - start;
    };
    return await answer({
      maxBytes,
      deadlines: bodyDeadlines,
      // All of a body, once enough of it has come: those that wait for memory with half of theirs in hand could wait for each other.
      reserve: (bytes, most) => grow(bytes < EARLY_SHARE * most ? bytes : Math.max(bytes, copies * most)),
      async arrived(bytes) {
        leave();
        await grow(copies * bytes);
        lease.shrink(copies * bytes);
        turn = await budget.acquire(0, 'the request');
      },
      giveUp: (source, error) => endBody(source, error, services.config.maxBodyBytes),
      hold: (buffer) => void buffers.push(buffer),
      settle(bytes) {
        buffers.splice(0).forEach(discard);
        lease.shrink(bytes);
      },
    });
  } finally {
    leave();
    buffers.forEach(discard);
    lease.release();
    (turn as Lease | null)?.release();
  }
}

/**
 * The JSON object that is a small body: of an administrative request.
 * @throws as `withBody` and `readJsonObject`.
 */
export function readSmallJson(
  c: Context<AppEnvironment>,
  limits: JsonLimits = SMALL_JSON,
  maxBytes = 16 * 1024,
): Promise<Record<string, unknown>> {
  return withBody(c, { reference: null, maxBytes }, (memory) => readJsonObject(c.req.raw, memory, limits));
}

/**
 * Answers a request whose body is stored while it arrives, a part at a time in memory.
 * @param totalMs the longest time that its client may take.
 * @throws as `withBody`; RequestError `empty_body`, `unsupported_media_type` where it is compressed.
 */
export async function withUpload(
  c: Context<AppEnvironment>,
  totalMs: number,
  answer: (stored: StoredStream) => Promise<Response>,
): Promise<Response> {
  const { services } = c.var;
  const { budget, uploads, bodyDeadlines } = services;
  refuseContentEncoding(c.req.raw.headers);
  if (c.req.raw.body === null) throw new RequestError('empty_body', 'the request has no body');
  const leave = uploads.enter(c.var.caller ?? null);
  const lease = budget.open();
  const source = withDeadlines(openByteSource(c.req.raw.body), { ...bodyDeadlines, totalMs });
  try {
    const loadRoom = await likelyLoadRoom(services);
    const headroom = (): number => bodyHeadroomBytes(services, loadRoom);
    return await answer({
      source,
      reserve: (bytes) => lease.grow(bytes, 'the manifest', headroom),
    });
  } catch (error) {
    await endBody(source, error, services.config.maxBodyBytes);
    throw error;
  } finally {
    leave();
    lease.release();
  }
}
