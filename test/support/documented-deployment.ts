/**
 * A local deployment with a moderation source, a policy that blocks and receivers of every kind, whose answers are held against
 * its own document. Node only.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { expect } from 'vitest';
import { withStore } from '../../scripts/cli/store/open-store.ts';
import { type Receivers, startReceivers } from '../../scripts/soak/receivers.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { publishPolicy } from '../../worker/moderation/policy/store.ts';
import { DocumentedAnswers, type OpenApiDocument } from './documented-answers.ts';

/** Its scores are certain to reach 1e-6: one category blocks, the allow list takes the other back. */
export const POLICY = {
  schema_version: 1,
  name: 'strict',
  version: '1',
  model: { name: 'bit-tiny-200' },
  activation: 'sigmoid',
  categories: [
    { name: 'fruit', labels: ['lemon', 'orange'], thresholds: { review: 1e-6 } },
    { name: 'weapons/cannon', labels: ['cannon'], thresholds: { block: 1e-6 } },
  ],
  allow_list: { allowances: [{ labels: ['lemon'], threshold: 1e-6, categories: ['fruit'] }] },
};

/** See the file's header; its source is `shop`, its policy `strict`. */
export class DocumentedDeployment {
  readonly answers: DocumentedAnswers;
  /** Of images, `/images/{number}`, of `/elsewhere`, which is none, and of `/hooks/{behaviour}`. */
  readonly origin: string;
  /** Operations that were asked for, by id. */
  readonly asked = new Set<string>();
  readonly #server: DevServer;
  readonly #sender: Webhook;
  readonly #end: () => Promise<void>;

  private constructor(
    answers: DocumentedAnswers,
    origin: string,
    server: DevServer,
    sender: Webhook,
    end: () => Promise<void>,
  ) {
    this.answers = answers;
    this.origin = origin;
    this.#server = server;
    this.#sender = sender;
    this.#end = end;
  }

  /** Starts it, with 75 hours of retries in a second. */
  static async start(): Promise<DocumentedDeployment> {
    const state = await mkdtemp(join(tmpdir(), 'bit-edge-documented-'));
    const [senderSecret, receiverSecret] = [newSecret(), newSecret()];
    let receivers: Receivers | null = null;
    let server: DevServer | null = null;
    const end = async (): Promise<void> => {
      await server?.stop();
      receivers?.close();
      await rm(state, { recursive: true, force: true });
    };
    try {
      await seedDefaultModel(state);
      await withStore({ persistPath: join(state, 'v3') }, ({ store }) =>
        publishPolicy(store, JSON.stringify(POLICY), 'latest', new Date().toISOString()),
      );
      receivers = await startReceivers(receiverSecret);
      const { origin } = receivers;
      const variables = {
        FETCH_EXEMPT_ORIGINS: origin,
        WEBHOOK_RETRY_SCALE: '0.000003',
        JOB_TICK_MS: '200',
        JOB_RETRY_SECONDS: '0',
        MODERATION: JSON.stringify({
          sources: [{ name: 'shop', secrets: [senderSecret], receivers: ['all'], policy: 'strict' }],
          receivers: [{ name: 'all', url: `${origin}/hooks/`, secrets: [receiverSecret] }],
        }),
      };
      server = await startDevServer({ port: await findFreePort(), statePath: state, variables });
      await waitUntilOk(`${server.url}/readyz`, 60_000);
      const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as OpenApiDocument;
      const answers = new DocumentedAnswers(document);
      return new DocumentedDeployment(answers, origin, server, new Webhook(senderSecret), end);
    } catch (error) {
      await end();
      throw error;
    }
  }

  /** Ends it. */
  stop(): Promise<void> {
    return this.#end();
  }

  /**
   * Asks, and holds the answer against its schema: it is a success, it fits, and no object of it could have another member.
   * @param request as the document spells it, `GET /v1/jobs/{id}`; a query may follow.
   * @param values what the names in braces stand for.
   */
  async ask<T>(request: string, init: RequestInit = {}, values: Readonly<Record<string, string>> = {}): Promise<T> {
    const [method = '', target = ''] = request.split(' ');
    const path = target.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
    const response = await fetch(this.#server.url + path, { method, ...init });
    const text = await response.text();
    const shown = `${method} ${path}: ${response.status} ${text}`;
    expect(response.ok, shown).toBe(true);
    const place = {
      template: target.split('?')[0]!,
      method: method.toLowerCase(),
      status: response.status,
      // Images are documented as one, whatever their format.
      mediaType: (response.headers.get('content-type') ?? '').split(';')[0]!.replace(/^image\/.*/, 'image/*'),
    };
    const value: unknown = place.mediaType === 'application/json' ? JSON.parse(text) : text;
    expect(this.answers.problemOf(place, value), shown).toBeNull();
    expect(this.answers.openObjects(place, value), shown).toEqual([]);
    this.asked.add(this.answers.document.paths[place.template]![place.method]!.operationId);
    return value as T;
  }

  /** A signed webhook with these items. */
  signed(id: string, items: unknown): RequestInit {
    const { body, headers } = jsonBody(items);
    const now = new Date();
    const signature = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': this.#sender.sign(id, now, body),
    };
    return { body, headers: { ...headers, ...signature } };
  }
}

/** A request's body of JSON. */
export function jsonBody(value: unknown): { readonly body: string; readonly headers: Record<string, string> } {
  return { body: JSON.stringify(value), headers: { 'content-type': 'application/json' } };
}

/** Asks until the answer is the one that is waited for. @throws Error after a minute, with the last one. */
export async function until<T>(next: () => Promise<T>, isIt: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const value = await next();
    if (isIt(value)) return value;
    if (Date.now() > deadline) throw new Error(`not in time: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}
