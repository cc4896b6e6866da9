/** Clients that begin to send a body and stop: nobody else waits for them, and they are ended. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';
import { readPhoto } from '../support/photo.ts';

const IDLE_MS = 2000;

let server: DevServer;
let state: string;
const sockets: Socket[] = [];

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'bit-edge-stalled-'));
  await seedDefaultModel(state);
  const variables = { BODY_IDLE_MS: String(IDLE_MS) };
  server = await startDevServer({ port: await findFreePort(), statePath: state, variables });
  await waitUntilOk(`${server.url}/readyz`, 60_000);
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await server?.stop();
  await rm(state, { recursive: true, force: true });
});

/** Sends the head of a request, and `sent` bytes of the body that it declares; the answer's status, once there is one. */
function stall(path: string, type: string, declared: number, sent: number): Promise<number> {
  const { port, host } = new URL(server.url);
  const socket = connect(Number(port), '127.0.0.1');
  sockets.push(socket);
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ${type}\r\nContent-Length: ${declared}\r\n\r\n`,
  );
  socket.write('\n'.repeat(sent));
  return new Promise((resolve, reject) => {
    socket.once('data', (data) => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1'))?.[1])));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed without an answer')));
  });
}

it('answers everybody else while 200 small and 12 large bodies stall, and ends those with 408', async () => {
  const photo = await readPhoto();
  const stalled = [
    ...Array.from({ length: 200 }, () => stall('/v1/classify', 'image/png', 1000, 4)),
    ...Array.from({ length: 6 }, () => stall('/v1/classify', 'image/png', 20 * 1024 * 1024, 3000)),
    ...Array.from({ length: 6 }, () => stall('/v1/jobs', 'application/x-ndjson', 20 * 1024 * 1024, 3000)),
  ];
  const ended = Promise.all(stalled);
  const statuses: number[] = [];
  for (let i = 1; i <= 20; i++) {
    const response = await fetch(`${server.url}/v1/classify?top_k=${i}`, { method: 'POST', body: photo });
    await response.arrayBuffer();
    statuses.push(response.status);
  }
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(new Set(await ended)).toEqual(new Set([408]));
});
