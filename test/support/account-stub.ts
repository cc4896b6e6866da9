/**
 * A stand-in for the parts of Cloudflare's account API that a deployment uses. It keeps state, answers in the documented
 * envelope, and fails where it is told to. https://developers.cloudflare.com/api/
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The account's id in every path. */
export const ACCOUNT_ID = '023e105f4ecef8ad9ca31a8372d0c353';

/** A failure of the next call whose method and path match. */
export interface Fault {
  readonly match: RegExp;
  /**
   * HTTP status: nothing is done. `lost`: the work is done and the connection closed without an answer. `raced`: somebody
   * else does the same a moment before.
   */
  readonly kind: 429 | 500 | 403 | 'lost' | 'raced';
}

interface Rule {
  readonly ruleId: string;
  readonly actions: readonly string[];
  readonly prefix?: string;
}

/** State of the account, and what was asked of it. */
export class AccountStub {
  readonly buckets = new Set<string>();
  /** Buckets that hold objects. */
  readonly filled = new Set<string>();
  /** Ids by name. */
  readonly queues = new Map<string, string>();
  /** By bucket and queue id. */
  readonly rules = new Map<string, Rule[]>();
  plans: string[] = ['workers_paid'];
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  /** Listens; gives the base URL of the API. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/client/v4`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Calls that changed something, or tried to. */
  get changes(): string[] {
    return this.calls.filter((call) => !call.startsWith('GET '));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://stub');
    const path = url.pathname.replace('/client/v4', '');
    const call = `${request.method} ${path}`;
    this.calls.push(call);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
    const at = this.faults.findIndex(({ match }) => match.test(call));
    const [fault] = at < 0 ? [] : this.faults.splice(at, 1);
    if (request.headers.authorization !== 'Bearer token') return send(response, 401, 10000, 'Authentication error');
    if (typeof fault?.kind === 'number') {
      if (fault.kind === 429) response.setHeader('Retry-After', '0');
      return send(response, fault.kind, 10001, 'made to fail');
    }
    if (fault?.kind === 'raced') this.#handle(request.method ?? 'GET', path, body);
    const { status, code, message, result } = this.#handle(request.method ?? 'GET', path, body);
    const isFurtherPage = Array.isArray(result) && Number(url.searchParams.get('page') ?? 1) > 1;
    if (fault?.kind === 'lost') {
      request.socket.destroy();
      return;
    }
    send(response, status, code, message, isFurtherPage ? [] : result);
  }

  #handle(method: string, path: string, body: Record<string, unknown>): Answer {
    const rest = path.replace(`/accounts/${ACCOUNT_ID}`, '');
    if (path === '/accounts') return ok([{ id: ACCOUNT_ID, name: 'stub' }]);
    if (rest === path) return refused(404, 7003, 'Could not route to the account');
    if (rest === '/subscriptions') return ok(this.plans.map((id) => ({ rate_plan: { id } })));
    if (rest === '/queues') return method === 'POST' ? this.#createQueue(String(body.queue_name)) : this.#listQueues();
    const bucket = /^\/r2\/buckets(?:\/([^/]+))?$/.exec(rest);
    if (bucket !== null) return this.#bucket(method, bucket[1] ?? String(body.name));
    const queue = /^\/queues\/([^/]+)$/.exec(rest);
    if (queue !== null && method === 'DELETE') {
      for (const [name, id] of this.queues) if (id === queue[1]) this.queues.delete(name);
      return ok(null);
    }
    const events = /^\/event_notifications\/r2\/([^/]+)\/configuration\/queues\/([^/]+)$/.exec(rest);
    if (events !== null) return this.#events(method, events[1]!, events[2]!, body);
    return refused(404, 7000, `No route for ${method} ${rest}`);
  }

  #bucket(method: string, name: string): Answer {
    if (method === 'POST') {
      if (this.buckets.has(name)) return refused(409, 10004, 'The bucket you tried to create already exists');
      this.buckets.add(name);
    } else if (!this.buckets.has(name)) return refused(404, 10006, 'The specified bucket does not exist.');
    if (method === 'DELETE') {
      if (this.filled.has(name)) return refused(409, 10008, 'The bucket you tried to delete is not empty');
      this.buckets.delete(name);
    }
    return ok({ name, creation_date: '2026-11-28T00:00:00Z' });
  }

  #listQueues(): Answer {
    return ok([...this.queues].map(([queue_name, queue_id]) => ({ queue_name, queue_id })));
  }

  #createQueue(name: string): Answer {
    if (this.queues.has(name)) return refused(409, 11009, 'Queue name is already taken');
    const id = (this.queues.size + 1).toString(16).padStart(32, '0');
    this.queues.set(name, id);
    return ok({ queue_name: name, queue_id: id });
  }

  #events(method: string, bucket: string, queue: string, body: Record<string, unknown>): Answer {
    const key = `${bucket} ${queue}`;
    const rules = this.rules.get(key);
    if (method === 'PUT') {
      if (rules !== undefined) return refused(409, 11021, 'A rule overlaps an existing rule');
      const added = (body.rules as Omit<Rule, 'ruleId'>[]).map((rule, index) => ({ ...rule, ruleId: String(index) }));
      this.rules.set(key, added);
      return ok({});
    }
    if (rules === undefined) return refused(404, 11015, 'No event notification configuration');
    if (method === 'DELETE') this.rules.delete(key);
    return ok({ queueId: queue, rules });
  }
}

interface Answer {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly result: unknown;
}

function ok(result: unknown): Answer {
  return { status: 200, code: 0, message: '', result };
}

function refused(status: number, code: number, message: string): Answer {
  return { status, code, message, result: null };
}

/** The envelope of every answer. */
function send(response: ServerResponse, status: number, code: number, message: string, result: unknown = null): void {
  const success = status < 400;
  const info = Array.isArray(result)
    ? { result_info: { page: 1, per_page: 100, count: result.length, total_count: result.length, total_pages: 1 } }
    : {};
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ success, errors: success ? [] : [{ code, message }], messages: [], result, ...info }));
}
