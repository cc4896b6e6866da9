/**
 * The attack: requests that once broke the worker, clients that stall, a kill in the middle of an upload, then generated requests.
 * Nobody else's request may fail or wait for it, and what was taken must come back.
 */
import { readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { makeTemporaryFolder } from '../process/ending.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../start/dev-server.ts';
import { seedDefaultModel } from '../start/seed.ts';
import { type HostileRequest, nextRequest, seededRandom } from './generated-requests.ts';

const READY_TIMEOUT_MS = 60_000;
const SLOW_MS = 2000;
const CONCURRENCY = 4;
const STALLED = 200;

/** How long leases may take to come back after the last request, in ms; on a loaded machine, too. */
const SETTLE_MS = 60_000;

/** How often a request is repeated that never reached the worker. */
const PROXY_REPEATS = 2;

/** What was counted; all but `requests` should be 0. */
export interface AttackCounts {
  requests: number;
  /** Answers with a status of 500 and more. */
  server_errors: number;
  /** Answers that took over two seconds. */
  slow: number;
  /** Requests after which the worker did not answer any more. */
  died: number;
  /** Memory that is still leased at the end, in MiB. */
  leaked_mib: number;
  /** Jobs that a key was answered for and that are not there. */
  lost: number;
  /** Jobs beyond one that a key made. */
  doubled: number;
}

/** How to attack. */
export interface AttackOptions {
  /** How long generated requests are sent. */
  readonly seconds: number;
  /** At least so many of them, however long that takes. Default 0. */
  readonly atLeast?: number;
  readonly seed: number;
  log(line: string): void;
}

/** Attacks a deployment of its own. */
export async function attack({ seconds, atLeast = 0, seed, log }: AttackOptions): Promise<AttackCounts> {
  const state = await makeTemporaryFolder('bit-edge-hostile-');
  const { name: model } = await seedDefaultModel(state);
  const image = Uint8Array.from(await readFile(new URL('../../test/fixtures/images/png-rgb.png', import.meta.url)));
  const counts: AttackCounts = { requests: 0, server_errors: 0, slow: 0, died: 0, leaked_mib: 0, lost: 0, doubled: 0 };
  const port = await findFreePort();
  const start = async (): Promise<DevServer> => {
    const server = await startDevServer({
      port,
      statePath: state,
      variables: { BODY_IDLE_MS: '3000' },
      // What the server says where a connection is lost, so that a log tells whose fault it was.
      onLine: (line) => /connection lost|rror:|restart|reload/i.test(line) && log(`server   ${line.slice(0, 300)}`),
    });
    await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
    return server;
  };
  let server = await start();
  try {
    const before = await usedBytes(server);
    const target = new Target(server.url, counts, log);
    for (const request of known(model)) await target.send(request);
    log(`known    ${counts.requests} requests`);
    await stalled(target, port, image);
    log(`stalled  ${STALLED} connections`);
    await killedUpload(target, port, async () => {
      await server.kill();
      server = await start();
    });
    log('killed   the worker, in the middle of an upload');
    const random = seededRandom(seed);
    const deadline = Date.now() + seconds * 1000;
    let made = 0;
    const client = async (): Promise<void> => {
      while (made++ < atLeast || Date.now() < deadline) await target.send(nextRequest(random, { model, image }));
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, client));
    log(`made     ${counts.requests} requests, seed ${seed}`);
    counts.leaked_mib = await leakedMib(server, before);
    return counts;
  } finally {
    await server.stop();
    await rm(state, { recursive: true, force: true });
  }
}

class Target {
  readonly #url: string;
  readonly #counts: AttackCounts;
  readonly #log: (line: string) => void;

  constructor(url: string, counts: AttackCounts, log: (line: string) => void) {
    this.#url = url;
    this.#counts = counts;
    this.#log = log;
  }

  get counts(): AttackCounts {
    return this.#counts;
  }

  /** Sends a request and counts how it was answered. @returns its status, 0 without an answer, and the body. */
  async send(request: HostileRequest, repeats = PROXY_REPEATS): Promise<{ status: number; text: string }> {
    const { path, headers, body } = request;
    this.#counts.requests++;
    const begun = performance.now();
    try {
      const response = await fetch(this.#url + path, { method: 'POST', headers, body });
      const text = await response.text();
      const ms = performance.now() - begun;
      if (repeats > 0 && isProxyFailure(response, text)) {
        this.#log(`repeated ${path}: the local proxy lost its connection`);
        return this.send(request, repeats - 1);
      }
      if (response.status >= 500) {
        this.#counts.server_errors++;
        this.#log(`problem  ${path} ${response.status} ${text.slice(0, 200)}`);
      }
      if (ms > SLOW_MS) {
        this.#counts.slow++;
        this.#log(`problem  ${path} took ${Math.round(ms)} ms: ${response.status}`);
      }
      return { status: response.status, text };
    } catch (error) {
      // A refusal may close the connection before the body is sent; then the worker still answers others.
      const isAlive = await fetch(`${this.#url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (!isAlive) {
        this.#counts.died++;
        this.#log(`problem  ${path} ${String(error)}`);
      }
      return { status: 0, text: '' };
    }
  }
}

/**
 * True for an answer of wrangler's own proxy whose connection to the worker was lost; it repeats nothing but GET and HEAD by itself.
 * Every answer of the worker has a request id, its failures too; a worker that is dead loses the repeated request as well.
 */
function isProxyFailure({ status, headers }: Response, text: string): boolean {
  return status >= 500 && !headers.has('x-request-id') && text.includes('Network connection lost');
}

/** Bodies that once stopped or ended the worker. */
function known(model: string): HostileRequest[] {
  const json = { 'content-type': 'application/json' };
  const utf8 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(new TextEncoder().encode(text));
  const part = '--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n';
  const nested = '['.repeat(5000) + ']'.repeat(5000);
  const strings = `[${'"",'.repeat(1_000_000)}""]`;
  return [
    { path: '/v1/classify', headers: json, body: utf8(`{"images":[${'1,'.repeat(3_000_000)}1]}`) },
    {
      path: '/v1/classify',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: utf8(part.repeat(100_000)),
    },
    { path: '/v1/jobs', headers: json, body: utf8(`{"inputs":[${nested}]}`) },
    { path: '/v1/jobs', headers: json, body: utf8(`{"inputs":[${'1,'.repeat(2_000_000)}1]}`) },
    { path: `/models/${model}`, headers: json, body: utf8(`{"inputs":${strings}}`) },
    { path: `/ai/run/${model}`, headers: json, body: utf8(`{"image":${strings}}`) },
    { path: `/v2/models/${model}/infer`, headers: json, body: utf8(`{"inputs":${strings}}`) },
  ];
}

/** Clients that stop in the middle of a body, and everybody else meanwhile. */
async function stalled(target: Target, port: number, image: Uint8Array<ArrayBuffer>): Promise<void> {
  const sockets = Array.from({ length: STALLED }, (_, i) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    const length = i % 10 === 0 ? 20 * 1024 * 1024 : 1000;
    socket.write(
      `POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: ${length}\r\n\r\nabcd`,
    );
    return socket;
  });
  for (let i = 1; i <= 50; i++) await target.send({ path: `/v1/classify?top_k=${i}`, headers: {}, body: image });
  for (const socket of sockets) socket.destroy();
}

/** The worker is killed while a manifest is uploaded; the same request must then make exactly one job. */
async function killedUpload(target: Target, port: number, killAndRestart: () => Promise<void>): Promise<void> {
  const manifest = new TextEncoder().encode('{"r2":"incoming/x.png"}\n'.repeat(1000));
  const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': 'killed' };
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  const head = Object.entries({ ...headers, 'content-length': manifest.length }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.write(`POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n${head.join('')}\r\n`);
  socket.write(manifest.subarray(0, 1000));
  await new Promise((resolve) => setTimeout(resolve, 500));
  await killAndRestart();
  const ids = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const { status, text } = await target.send({ path: '/v1/jobs', headers, body: Uint8Array.from(manifest) });
    if (status === 202) ids.add((JSON.parse(text) as { id: string }).id);
  }
  target.counts.lost += ids.size === 0 ? 1 : 0;
  target.counts.doubled += Math.max(0, ids.size - 1);
}

async function usedBytes(server: DevServer): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const value = /^bit_edge_memory_used_bytes (\S+)$/m.exec(text)?.[1];
  const heap = /^bit_edge_wasm_heap_bytes (\S+)$/m.exec(text)?.[1];
  return Number(value ?? Number.NaN) - Number(heap ?? 0);
}

/** What is leased beyond what was before, once the last request has had time to end. */
async function leakedMib(server: DevServer, before: number): Promise<number> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const leaked = ((await usedBytes(server)) - before) / 1024 / 1024;
    if (leaked <= 0 || Date.now() > deadline) return Math.max(0, Math.round(leaked * 100) / 100);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
