/**
 * The webhook soak: signed webhooks in, callbacks out to receivers that answer 500, hang, redirect, throttle, say 410,
 * break off and reset; the worker is killed twice on the way. Then every event must have ended, with its history.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { Webhook } from 'standardwebhooks';
import type { EventLog, EventSummary } from '../../worker/moderation/ledger/records.ts';
import { makeTemporaryFolder } from '../process/ending.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../start/dev-server.ts';
import { seedDefaultModel } from '../start/seed.ts';
import { BEHAVIOURS, type Behaviour, type Receivers, startReceivers } from './receivers.ts';

const SOURCE = 'soak';
const SENDERS = 8;

/** Every so many webhooks one is sent twice. */
const DUPLICATE_EVERY = 20;

/** 75 hours of retries in about half a minute. */
const RETRY_SCALE = 0.0001;
const CALLBACK_TIMEOUT_MS = 400;
const REQUEUE_MS = 5_000;

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 1_000;

/** Gives up when no event has changed its state for so long. */
const STALLED_MS = 120_000;

/** Kills, at these shares of the webhooks sent. */
const KILLS_AT = [1 / 3, 2 / 3];

/** What the soak ends with. */
export interface WebhookSoakReport {
  readonly events: number;
  readonly delivered: number;
  readonly disabled: number;
  readonly dead: number;
  /** Accepted events that are unknown, not ended, without history, or said to be delivered but never received. */
  readonly lost: number;
  /** Requests that a receiver could not verify. */
  readonly unsigned: number;
}

/** Runs the soak on a deployment of its own. */
export async function soakWebhooks(
  count: number,
  log: (line: string) => void,
): Promise<{ report: WebhookSoakReport; problems: string[] }> {
  const statePath = await makeTemporaryFolder('bit-edge-soak-');
  const secret = () => `whsec_${randomBytes(32).toString('base64')}`;
  const receiverSecret = secret();
  const receivers = await startReceivers(receiverSecret);
  const soak = new WebhookSoak(count, statePath, secret(), receiverSecret, receivers, log);
  try {
    return await soak.run();
  } finally {
    await soak.stop();
    receivers.close();
    await rm(statePath, { recursive: true, force: true });
  }
}

class WebhookSoak {
  readonly #count: number;
  readonly #statePath: string;
  readonly #webhook: Webhook;
  readonly #receivers: Receivers;
  readonly #variables: Readonly<Record<string, string>>;
  readonly #log: (line: string) => void;
  /** Event id -> behaviour of its receiver. */
  readonly #accepted = new Map<string, Behaviour>();
  readonly #problems: string[] = [];
  #server: DevServer | null = null;
  #port = 0;
  #sent = 0;

  constructor(
    count: number,
    statePath: string,
    secret: string,
    receiverSecret: string,
    receivers: Receivers,
    log: (line: string) => void,
  ) {
    this.#count = count;
    this.#statePath = statePath;
    this.#webhook = new Webhook(secret);
    this.#receivers = receivers;
    this.#log = log;
    this.#variables = {
      FETCH_EXEMPT_ORIGINS: receivers.origin,
      WEBHOOK_RETRY_SCALE: String(RETRY_SCALE),
      WEBHOOK_TIMEOUT_MS: String(CALLBACK_TIMEOUT_MS),
      MODERATION_REQUEUE_MS: String(REQUEUE_MS),
      MODERATION: JSON.stringify({
        sources: [{ name: SOURCE, secrets: [secret], receivers: ['all'] }],
        receivers: [{ name: 'all', url: `${receivers.origin}/hooks/`, secrets: [receiverSecret] }],
      }),
    };
  }

  async run(): Promise<{ report: WebhookSoakReport; problems: string[] }> {
    await seedDefaultModel(this.#statePath);
    this.#port = await findFreePort();
    await this.#start();
    this.#log(
      `started  ${this.#server?.url}; ${this.#count} webhooks to ${Object.keys(BEHAVIOURS).length} kinds of receiver`,
    );
    const killer = this.#killTwice();
    await Promise.all(Array.from({ length: SENDERS }, () => this.#sendLoop()));
    await killer;
    this.#log(`accepted ${this.#accepted.size} events`);
    await this.#waitUntilEnded();
    return this.#verify();
  }

  async stop(): Promise<void> {
    await this.#server?.kill();
  }

  async #start(): Promise<void> {
    this.#server = await startDevServer({ port: this.#port, statePath: this.#statePath, variables: this.#variables });
    await waitUntilOk(`${this.#server.url}/readyz`, READY_TIMEOUT_MS);
  }

  async #killTwice(): Promise<void> {
    for (const share of KILLS_AT) {
      while (this.#sent < this.#count * share) await pause(20);
      await this.#server?.kill();
      this.#log(
        `killed   after ${this.#sent} webhooks; ${this.#receivers.sightings.received.size} callbacks received so far`,
      );
      await this.#start();
    }
  }

  async #sendLoop(): Promise<void> {
    const behaviours = Object.keys(BEHAVIOURS) as Behaviour[];
    while (this.#sent < this.#count) {
      const number = this.#sent++;
      const behaviour = behaviours[number % behaviours.length]!;
      await this.#send(number, behaviour);
      if (number % DUPLICATE_EVERY === 0) await this.#send(number, behaviour);
    }
  }

  /** Sends until it is accepted, as senders of webhooks do: the worker may be down. */
  async #send(number: number, behaviour: Behaviour): Promise<void> {
    const { origin } = this.#receivers;
    const body = JSON.stringify({
      id: `item-${number}`,
      url: `${origin}/images/${number}`,
      callback_url: `${origin}/hooks/${behaviour}`,
    });
    const id = `msg_${number}`;
    for (;;) {
      const now = new Date();
      const headers = {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': this.#webhook.sign(id, now, body),
      };
      try {
        const response = await fetch(this.#url(`/v1/webhooks/images/${SOURCE}`), { method: 'POST', headers, body });
        const text = await response.text();
        if (response.status === 202) {
          const { events } = JSON.parse(text) as { events: { id: string }[] };
          for (const event of events) this.#accepted.set(event.id, behaviour);
          return;
        }
        if (response.status < 500) throw new Error(`webhook ${number} was refused: ${response.status} ${text}`);
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('webhook')) throw error;
      }
      await pause(200);
    }
  }

  async #waitUntilEnded(): Promise<void> {
    let last = '';
    let changedAt = Date.now();
    for (;;) {
      const { sources } = await this.#get<{ sources: Record<string, Record<string, number>> }>(
        `/v1/webhooks/stats?source=${SOURCE}`,
      );
      const counts = sources[SOURCE] ?? {};
      const open = (counts.accepted ?? 0) + (counts.decided ?? 0) + (counts.pending ?? 0);
      if (open === 0) return;
      const line = `${JSON.stringify(counts)} ${this.#receivers.sightings.requests}`;
      if (line !== last) {
        last = line;
        changedAt = Date.now();
        this.#log(`waiting  ${JSON.stringify(counts)}`);
      } else if (Date.now() - changedAt > STALLED_MS) {
        this.#problems.push(`nothing has moved for ${STALLED_MS / 1000} s: ${line}`);
        return;
      }
      await pause(POLL_MS);
    }
  }

  async #verify(): Promise<{ report: WebhookSoakReport; problems: string[] }> {
    const { sightings } = this.#receivers;
    const known = new Map((await this.#allEvents()).map((event) => [event.id, event]));
    const counts = { delivered: 0, disabled: 0, dead: 0 };
    let lost = 0;
    for (const [id, behaviour] of this.#accepted) {
      const event = known.get(id);
      const state = event?.state;
      if (state === 'delivered' || state === 'disabled' || state === 'dead') counts[state]++;
      const log = event === undefined ? null : await this.#get<EventLog>(`/v1/webhooks/events/${id}`);
      const problem = this.#judge(log, behaviour);
      if (problem === null) continue;
      lost++;
      this.#problems.push(`${id} (${behaviour}): ${problem}`);
    }
    if (known.size !== this.#accepted.size) {
      this.#problems.push(`${this.#accepted.size} events were accepted, ${known.size} are known`);
    }
    const items = [...sightings.received.values()];
    if (new Set(items).size !== items.length) this.#problems.push('an image was told of under two ids');
    if (sightings.unsigned > 0) this.#problems.push(`${sightings.unsigned} requests could not be verified`);
    if (sightings.followed > 0) this.#problems.push(`${sightings.followed} redirects were followed`);
    this.#log(`checked  ${sightings.requests} requests to receivers, ${items.length} distinct events received`);
    const report = { events: this.#accepted.size, ...counts, lost, unsigned: sightings.unsigned };
    return { report, problems: this.#problems };
  }

  /** What is wrong with how an event ended; null where nothing is. */
  #judge(event: EventLog | null, behaviour: Behaviour): string | null {
    if (event === null) return 'it is not known';
    const expected = BEHAVIOURS[behaviour];
    if (event.state !== expected) return `it is ${event.state}, not ${expected}`;
    if (event.decision === null) return 'it has no decision';
    if (event.decision.error !== undefined) return `it was not judged: ${event.decision.error.message}`;
    const last = event.attempt_log.at(-1);
    // An event that waited when its receiver said 410 to another one ends without an attempt of its own.
    if (last === undefined) return event.state === 'disabled' ? null : 'it has no history';
    if (event.attempt_log.some(({ outcome }) => outcome === null)) return 'an attempt has no outcome';
    if (event.state === 'delivered') {
      if (last.outcome !== 'delivered') return `its last attempt is ${last.outcome}`;
      if (!this.#receivers.sightings.received.has(event.id)) return 'its receiver never saw it';
    }
    return null;
  }

  async #allEvents(): Promise<EventSummary[]> {
    const events: EventSummary[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page: { events: EventSummary[]; next_cursor: string | null } = await this.#get(
        `/v1/webhooks/events?source=${SOURCE}&limit=1000${query}`,
      );
      events.push(...page.events);
      cursor = page.next_cursor;
    }
    return events;
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(this.#url(path));
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
