/** Servers that strangers' URLs point at, on their worst day: every fetch is refused or ended, what it took is given back. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';

const MAX_BODY_BYTES = 1024 * 1024;

let state: string;
let server: DevServer;
let origin: Server;
let originUrl: string;
let privateHits = 0;
const open = new Set<Socket>();

/** What a path is answered with: the bytes of the answer, or whatever else is done to the socket. */
type Answer = string | Buffer | ((socket: Socket) => void);

const head = (status: string, ...headers: string[]): string =>
  [`HTTP/1.1 ${status}`, ...headers, 'connection: close', '', ''].join('\r\n');
const redirect = (location: string): string => head('302 Found', `location: ${location}`, 'content-length: 0');
const PNG = 'content-type: image/png';

/** Writes again and again, until the other side is gone. */
function pour(socket: Socket, piece: () => string | Buffer): void {
  const write = (): void => {
    while (!socket.destroyed && socket.write(piece()));
    if (!socket.destroyed) socket.once('drain', write);
  };
  write();
}

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

function answers(image: Buffer): Record<string, Answer> {
  const zeros = Buffer.alloc(64 * 1024);
  const bomb = gzipSync(Buffer.alloc(64 * MAX_BODY_BYTES));
  return {
    '/good': Buffer.concat([Buffer.from(head('200 OK', PNG, `content-length: ${image.length}`)), image]),
    '/moved': redirect('/good'),
    '/loop': redirect('/loop'),
    '/to-metadata': redirect('http://169.254.169.254/latest/meta-data/'),
    '/to-private': redirect(`${originUrl.replace('127.0.0.1', '127.0.0.2')}/private`),
    '/to-localhost': redirect(`${originUrl.replace('127.0.0.1', 'localhost')}/private`),
    '/to-file': redirect('file:///etc/passwd'),
    '/nowhere': head('302 Found', 'content-length: 0'),
    '/not-modified': head('304 Not Modified'),
    '/partial': Buffer.concat([
      Buffer.from(head('206 Partial Content', PNG, 'content-length: 10', 'content-range: bytes 0-9/999')),
      image.subarray(0, 10),
    ]),
    '/failed': head('500 Internal Server Error', 'content-length: 0'),
    '/page': `${head('200 OK', 'content-type: text/html', 'content-length: 4')}<p/>`,
    '/empty': head('200 OK', PNG, 'content-length: 0'),
    '/large': head('200 OK', PNG, `content-length: ${MAX_BODY_BYTES + 1}`),
    '/bomb': Buffer.concat([
      Buffer.from(head('200 OK', PNG, 'content-encoding: gzip', `content-length: ${bomb.length}`)),
      bomb,
    ]),
    '/broken-gzip': `${head('200 OK', PNG, 'content-encoding: gzip', 'content-length: 5')}\x1f\x8bxyz`,
    '/endless': (socket) => {
      socket.write(head('200 OK', PNG, 'transfer-encoding: chunked'));
      pour(socket, () => chunk(zeros));
    },
    '/header-flood': (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      pour(socket, () => `x-flood: ${'y'.repeat(8000)}\r\n`);
    },
    '/cut-short': (socket) => socket.end(`${head('200 OK', PNG, 'content-length: 1000')}0123456789`),
    '/garbage': (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'),
    '/hang-up': (socket) => socket.destroy(),
  };
}

beforeAll(async () => {
  const image = await readFile(new URL('../fixtures/images/png-rgb.png', import.meta.url));
  let known: Record<string, Answer> = {};
  origin = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    socket.once('data', (data) => {
      const path = /^GET (\S+)/.exec(data.toString('latin1'))?.[1] ?? '';
      if (path === '/private') privateHits++;
      const answer = known[path] ?? head('404 Not Found', 'content-length: 0');
      if (typeof answer === 'function') answer(socket);
      else socket.end(answer);
    });
  });
  const port = await new Promise<number>((resolve) => {
    origin.listen(0, '127.0.0.1', () => {
      const address = origin.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  originUrl = `http://127.0.0.1:${port}`;
  known = answers(image);
  state = await mkdtemp(join(tmpdir(), 'bit-edge-origins-'));
  await seedDefaultModel(state);
  const variables = { FETCH_EXEMPT_ORIGINS: originUrl, MAX_BODY_BYTES: String(MAX_BODY_BYTES), RESULT_CACHE: 'off' };
  server = await startDevServer({ port: await findFreePort(), statePath: state, variables });
  await waitUntilOk(`${server.url}/readyz`, 60_000);
});

afterAll(async () => {
  for (const socket of open) socket.destroy();
  origin?.close();
  await server?.stop();
  await rm(state, { recursive: true, force: true });
});

async function classify(url: string): Promise<{ status: number; code?: string; reason?: string }> {
  const body = JSON.stringify({ url });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${server.url}/v1/classify`, { method: 'POST', body, headers });
  const { code, reason } = (await response.json()) as { code?: string; reason?: string };
  return { status: response.status, ...(code !== undefined && { code }), ...(reason !== undefined && { reason }) };
}

async function leasedBytes(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const read = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  return read('bit_edge_memory_used_bytes') - read('bit_edge_wasm_heap_bytes');
}

describe('a hostile origin', () => {
  const failed = (reason: string) => ({ status: 422, code: 'fetch_failed', reason });
  const refused = { status: 400, code: 'url_not_allowed' };

  it.each([
    ['/good', { status: 200 }],
    ['/moved', { status: 200 }],
    ['/loop', failed('too_many_redirects')],
    ['/to-metadata', refused],
    ['/to-private', refused],
    ['/to-localhost', refused],
    ['/to-file', refused],
    ['/nowhere', failed('bad_redirect')],
    ['/not-modified', failed('status')],
    ['/partial', failed('status')],
    ['/failed', failed('status')],
    ['/page', failed('content_type')],
    ['/empty', failed('empty')],
    ['/large', failed('too_large')],
    ['/bomb', failed('too_large')],
    ['/broken-gzip', { status: 422, code: 'fetch_failed' }],
    ['/endless', failed('too_large')],
    ['/header-flood', failed('network')],
    ['/cut-short', { status: 422, code: 'fetch_failed' }],
    ['/garbage', failed('network')],
    ['/hang-up', failed('network')],
  ])('%s: %j', async (path, expected) => {
    expect(await classify(originUrl + path)).toMatchObject(expected);
  });

  it('was never followed to a private address', () => {
    expect(privateHits).toBe(0);
  });

  it('keeps no connection and no memory, and the next good one is answered', async () => {
    const before = await leasedBytes();
    const paths = ['/endless', '/bomb', '/header-flood', '/cut-short', '/large', '/endless', '/bomb', '/hang-up'];
    const answered = await Promise.all(paths.map((path) => classify(originUrl + path)));
    for (const { status } of answered) expect(status).toBe(422);
    await expect.poll(() => open.size, { timeout: 60_000 }).toBe(0);
    await expect.poll(leasedBytes, { timeout: 60_000 }).toBeLessThanOrEqual(before);
    expect(await classify(`${originUrl}/good`)).toEqual({ status: 200 });
  });
});
