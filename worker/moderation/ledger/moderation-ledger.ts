/**
 * The Durable Object that keeps one source's events: accepted messages, decisions, callbacks and their history, in
 * SQLite. Its alarm delivers, queues again what got lost, and forgets what is older than the retention.
 */

import { DurableObject } from 'cloudflare:workers';
import { findReceiver } from '../../callbacks/callback-settings.ts';
import type { DueDelivery } from '../../callbacks/delivery.ts';
import { type CallbackResult, sendCallback } from '../../callbacks/send-callback.ts';
import { readUrlPolicy } from '../../fetch/settings.ts';
import type { ImageLocation } from '../../images/image-location.ts';
import { traceIdOf } from '../../observability/trace.ts';
import { MAX_BATCH_MESSAGES } from '../../platform-limits.ts';
import { type ModerationSettings, readModerationSettings } from '../settings.ts';
import type { Decision } from '../verdict-shapes.ts';
import { DeliveryPump } from './delivery-pump.ts';
import { DeliveryStore, type ReplayOutcome } from './delivery-store.ts';
import { EventStore, insertDecision } from './event-store.ts';
import { LogStore } from './log-store.ts';
import type {
  Acceptance,
  DecisionFilter,
  DecisionRecord,
  EffectResult,
  EndpointSummary,
  EventLog,
  EventState,
  EventSummary,
  EventWork,
  IncomingMessage,
  JudgementFailure,
  ListPosition,
  ReviewAction,
  Reviewer,
  ReviewFilter,
  ReviewOutcome,
  ReviewRecord,
} from './records.ts';
import { ReviewStore } from './review-store.ts';
import { createTables } from './tables.ts';

/** One image to be judged, as the queue carries it. */
export interface ModerationMessage {
  readonly source: string;
  readonly event: string;
}

/** What a ledger needs of the worker's bindings; variables are read from the same object. */
export interface LedgerEnv {
  readonly MODERATION_QUEUE: Queue<ModerationMessage>;
}

/** Events queued again in one alarm. */
const REQUEUE_LIMIT = 500;

/** Pause after an alarm that failed, in ms. */
const FAILED_ALARM_MS = 10_000;

/** Shortest time between two looks at what retention applies to, in ms. */
const MIN_PURGE_INTERVAL_MS = 60_000;

/** One source's events and decisions. */
export class ModerationLedger extends DurableObject<LedgerEnv> {
  readonly #settings: ModerationSettings;
  readonly #events: EventStore;
  readonly #deliveries: DeliveryStore;
  readonly #log: LogStore;
  readonly #reviews: ReviewStore;
  readonly #pump: DeliveryPump;
  #purgedMs = 0;

  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, env);
    const urlPolicy = readUrlPolicy({ ...env });
    const settings = readModerationSettings({ ...env }, urlPolicy);
    this.#settings = settings;
    this.#events = new EventStore(ctx.storage);
    this.#deliveries = new DeliveryStore(ctx.storage);
    this.#log = new LogStore(ctx.storage.sql);
    this.#reviews = new ReviewStore(ctx.storage);
    this.#pump = new DeliveryPump({
      store: this.#deliveries,
      send: async (delivery) => {
        const result = await sendCallback(delivery, {
          fetch: (url, init) => fetch(url, init),
          urlPolicy,
          secretsFor: (url) => findReceiver(settings, url)?.secrets ?? [],
          timeoutMs: settings.callbackTimeoutMs,
          now: () => Date.now(),
        });
        logCallback(delivery, result);
        return result;
      },
      now: () => Date.now(),
      random: () => Math.random(),
      retryScale: settings.retryScale,
    });
    // An alarm that ran out of retries, or was lost with a restart, must not leave events behind.
    void ctx.blockConcurrencyWhile(async () => {
      createTables(ctx.storage.sql);
      await this.#schedule();
    });
  }

  /**
   * Takes in a verified message and queues its images. Returns once it is on disk: what is accepted is not lost, even
   * where the queue cannot be reached now.
   */
  async accept(source: string, message: IncomingMessage): Promise<Acceptance> {
    const nowMs = Date.now();
    const acceptance = this.#events.accept(message, nowMs, nowMs + this.#settings.requeueMs);
    if (acceptance.outcome === 'accepted') {
      this.ctx.storage.kv.put('source', source);
      await this.#schedule();
      await this.#enqueue(acceptance.events.map(({ id }) => id));
    }
    return acceptance;
  }

  /** What there is to do about an event. */
  work(id: string): EventWork | null {
    return this.#events.work(id);
  }

  /** Records the decision on an event; the first one stands and is returned. */
  decide(id: string, decision: Decision): Decision | null {
    const image = this.#events.work(id)?.image ?? null;
    const standing = this.#events.decide(id, decision);
    if (standing !== null) this.#reviews.keepImage(standing, image);
    return standing;
  }

  /** Records why an event could not be judged this time. @param ofFetch True if its image could not be fetched. */
  noteFailure(id: string, failure: JudgementFailure, ofFetch: boolean): void {
    this.#events.noteFailure(id, failure, ofFetch);
  }

  /** Ends an event as undecided. @returns False if it is not waiting for a judgement. */
  async abandon(id: string): Promise<boolean> {
    const abandoned = this.#events.abandon(id, Date.now());
    if (abandoned) await this.#schedule();
    return abandoned;
  }

  /** Has every undecided event judged again: the alarm queues them, some hundred at a time. @returns How many. */
  async rejudge(): Promise<number> {
    const reopened = this.#events.reopenUndecided(Date.now());
    await this.#schedule();
    return reopened;
  }

  /** Ends the work on an event and begins its delivery. */
  async finish(id: string, effects: readonly EffectResult[]): Promise<void> {
    if (this.#events.finish(id, effects, Date.now())) await this.#schedule();
  }

  /** Adds a decision that belongs to no event, but to the key that asked for it. */
  async record(
    decision: Decision,
    reference: string | null,
    image: ImageLocation | null,
    tenant: string,
  ): Promise<void> {
    insertDecision(this.ctx.storage.sql, decision, reference, null, tenant);
    this.#reviews.keepImage(decision, image);
    await this.#schedule();
  }

  /** Decisions, newest first. */
  decisions(filter: DecisionFilter, before: ListPosition | null, limit: number): DecisionRecord[] {
    return this.#log.decisions(filter, before, limit);
  }

  /** One decision; of one tenant's where one is given. */
  decision(id: string, tenant: string | null): DecisionRecord | null {
    return this.#log.decision(id, tenant);
  }

  /** Reviews: pending ones oldest first, others newest first. */
  reviews(filter: ReviewFilter, position: ListPosition | null, limit: number): ReviewRecord[] {
    return this.#reviews.list(filter, position, limit, Date.now());
  }

  /** One review. */
  review(id: string): ReviewRecord | null {
    return this.#reviews.find(id, Date.now());
  }

  /** Where the image of a pending review is. */
  reviewImage(id: string): ImageLocation | null {
    return this.#reviews.image(id);
  }

  /** Claims the oldest review that nobody holds; null where there is none. */
  claimReview(reviewer: Reviewer): ReviewRecord | null {
    return this.#reviews.claimNext(reviewer, Date.now());
  }

  /** Does what a reviewer asks, and begins the delivery of an answer. */
  async actOnReview(
    id: string,
    action: ReviewAction,
    reviewer: Reviewer,
    note: string | null,
    callbackId: string,
  ): Promise<ReviewOutcome> {
    const outcome = this.#reviews.act(id, action, reviewer, note, callbackId, Date.now());
    await this.#schedule();
    return outcome;
  }

  /** Events, newest first. */
  events(state: EventState | null, before: ListPosition | null, limit: number): EventSummary[] {
    return this.#log.events(state, before, limit);
  }

  /** One event with its history. */
  event(id: string): EventLog | null {
    return this.#log.event(id);
  }

  /** How many events are in each state. */
  counts(): Partial<Record<EventState, number>> {
    return this.#log.counts();
  }

  /** The URLs that callbacks go to. */
  endpoints(): EndpointSummary[] {
    return this.#log.endpoints();
  }

  /** Starts an ended delivery anew, under the same webhook-id. */
  async replay(id: string): Promise<ReplayOutcome> {
    const outcome = this.#deliveries.replay(id, Date.now());
    await this.#schedule();
    return outcome;
  }

  /** Starts all dead or disabled deliveries anew. @returns How many. */
  async replayAll(state: 'dead' | 'disabled'): Promise<number> {
    const before = this.#log.counts()[state] ?? 0;
    this.#deliveries.replayAll(state, Date.now());
    await this.#schedule();
    return before - (this.#log.counts()[state] ?? 0);
  }

  /** Lets an endpoint that said 410 receive again. @returns False where it was not disabled. */
  enable(url: string): boolean {
    return this.#deliveries.enable(url);
  }

  /** Does what is due. Never throws: an alarm that throws too often is dropped. */
  override async alarm(): Promise<void> {
    try {
      await this.#requeue();
      await this.#pump.run();
      this.#purge();
      await this.#schedule();
    } catch (error) {
      console.error(JSON.stringify({ level: 'error', event: 'moderation_alarm_failed', error: String(error) }));
      await this.ctx.storage.setAlarm(Date.now() + FAILED_ALARM_MS);
    }
  }

  async #requeue(): Promise<void> {
    const stale = this.#events.takeStale(Date.now(), this.#settings.requeueMs, REQUEUE_LIMIT);
    await this.#enqueue(stale);
  }

  /** Where the queue cannot be reached, the alarm tries again. */
  async #enqueue(events: readonly string[]): Promise<void> {
    const source = this.ctx.storage.kv.get<string>('source');
    if (source === undefined) return;
    try {
      for (let start = 0; start < events.length; start += MAX_BATCH_MESSAGES) {
        const batch = events.slice(start, start + MAX_BATCH_MESSAGES).map((event) => ({ body: { source, event } }));
        await this.env.MODERATION_QUEUE.sendBatch(batch);
      }
    } catch (error) {
      console.error(JSON.stringify({ level: 'error', event: 'moderation_enqueue_failed', error: String(error) }));
    }
  }

  #purge(): void {
    const nowMs = Date.now();
    if (nowMs - this.#purgedMs < MIN_PURGE_INTERVAL_MS) return;
    this.#purgedMs = nowMs;
    this.#log.purge(nowMs - this.#settings.retentionMs);
    this.#reviews.purge();
  }

  /** Sets the alarm to the earliest thing to do. */
  async #schedule(): Promise<void> {
    const nowMs = Date.now();
    const due = this.#log.nextDueMs();
    const oldest = this.#log.oldestMs();
    const purge =
      oldest === null ? null : Math.max(oldest + this.#settings.retentionMs, this.#purgedMs + MIN_PURGE_INTERVAL_MS);
    const times = [due, purge].filter((time) => time !== null);
    if (times.length === 0) return;
    const next = Math.max(nowMs, Math.min(...times));
    const current = await this.ctx.storage.getAlarm();
    if (current === null || next < current) await this.ctx.storage.setAlarm(next);
  }
}

/** Ids and outcomes only: a callback URL may hold a token. */
function logCallback({ id, attempt, traceparent }: DueDelivery, { outcome, status }: CallbackResult): void {
  const level = outcome === 'delivered' ? 'info' : 'warn';
  const trace = traceparent === undefined || traceparent === null ? {} : { trace_id: traceIdOf(traceparent) };
  console.log(JSON.stringify({ level, event: 'callback', event_id: id, outcome, status, attempt, ...trace }));
}
