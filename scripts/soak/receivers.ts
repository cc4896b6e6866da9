/** A server that plays image host and every kind of webhook receiver, and remembers what it was sent. Node only. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { encodePng } from '../cli/files/write-png.ts';

/** How a receiver behaves; its name is its path below `/hooks/`. `settles` is how its events must end. */
export const BEHAVIOURS = {
  ok: 'delivered',
  slow: 'delivered',
  fails: 'delivered',
  hangs: 'delivered',
  redirects: 'delivered',
  throttles: 'delivered',
  cuts: 'delivered',
  resets: 'delivered',
  gone: 'disabled',
  dead: 'dead',
} as const;

/** The name of a behaviour. */
export type Behaviour = keyof typeof BEHAVIOURS;

/** How often the receivers that recover fail before they do. */
const FAILURES = 2;

/** What the receivers saw. */
export interface Sightings {
  requests: number;
  /** Requests whose signature the reference package refuses. */
  unsigned: number;
  /** Requests to the place that redirects point at. */
  followed: number;
  /** Ids that were answered with 2xx, with the item that each was about. */
  readonly received: Map<string, string>;
}

/** A running server. */
export interface Receivers {
  readonly origin: string;
  readonly sightings: Sightings;
  /** Images of `/images/{name}` besides the numbered ones. */
  readonly images: Map<string, Uint8Array>;
  close(): void;
}

/** Starts the server on a free port of the loopback address. */
export async function startReceivers(secret: string): Promise<Receivers> {
  const webhook = new Webhook(secret);
  const sightings: Sightings = { requests: 0, unsigned: 0, followed: 0, received: new Map() };
  const images = new Map<string, Uint8Array>();
  const tries = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (path.startsWith('/images/')) {
      const name = path.slice('/images/'.length);
      const image = images.get(name) ?? tinyPng(Number(name));
      response.writeHead(200, { 'content-type': 'image/png' }).end(image);
    } else if (path.startsWith('/elsewhere')) {
      sightings.followed++;
      response.writeHead(200).end();
    } else {
      receive(request, response, path.slice('/hooks/'.length), webhook, sightings, tries).catch(() =>
        response.destroy(),
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sightings,
    images,
    close: () => stop(server),
  };
}

function stop(server: Server): void {
  server.closeAllConnections();
  server.close();
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  behaviour: string,
  webhook: Webhook,
  sightings: Sightings,
  tries: Map<string, number>,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  const id = String(request.headers['webhook-id']);
  sightings.requests++;
  let item = '';
  try {
    const payload = webhook.verify(body, request.headers as Record<string, string>) as { data: { id: string } };
    item = payload.data.id;
  } catch {
    sightings.unsigned++;
  }
  const attempt = (tries.get(id) ?? 0) + 1;
  tries.set(id, attempt);
  const accept = (): void => {
    sightings.received.set(id, item);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  };
  if (behaviour === 'gone') {
    response.writeHead(410).end();
  } else if (behaviour === 'dead') {
    response.writeHead(500).end('always');
  } else if (behaviour === 'slow') {
    setTimeout(accept, 20);
  } else if (behaviour === 'ok' || attempt > FAILURES) {
    accept();
  } else if (behaviour === 'fails') {
    response.writeHead(500).end('not yet');
  } else if (behaviour === 'redirects') {
    response.writeHead(307, { location: '/elsewhere' }).end();
  } else if (behaviour === 'throttles') {
    response.writeHead(429, { 'retry-after': '60' }).end();
  } else if (behaviour === 'cuts') {
    response.writeHead(200, { 'content-length': 1000 }).write('{"half":');
    setTimeout(() => response.destroy(), 5);
  } else if (behaviour === 'resets') {
    request.socket.destroy();
  }
  // `hangs` is left without an answer: the sender must give up.
}

/** A PNG of one colour, another for every number. */
function tinyPng(number: number): Uint8Array {
  const size = 8;
  const data = new Uint8Array(size * size * 3);
  for (let at = 0; at < data.length; at += 3) data.set([number * 37, number * 91, number >> 3], at);
  return encodePng({ width: size, height: size, data });
}
