/** One attempt to deliver, against a live receiver on loopback that fails in every way. */
import { generateKeyPairSync, verify } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CallbackOptions, type CallbackResult, sendCallback } from '../../../worker/callbacks/send-callback.ts';
import { createUrlPolicy } from '../../../worker/fetch/url-policy.ts';
import { RECEIVER_SECRET } from '../../support/moderation-bindings.ts';

const PAYLOAD = '{"type":"moderation.completed","data":{"note":"größer"}}';
const TIMEOUT_MS = 150;

let origin = '';
let server: Server;
let received: { path: string; headers: IncomingHttpHeaders; body: string }[] = [];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = request.url ?? '/';
    received.push({ path, headers: request.headers, body: Buffer.concat(chunks).toString() });
    const [, action, argument] = path.split('/');
    switch (action) {
      case 'status':
        response.writeHead(Number(argument), { 'retry-after': '120', location: '/ok' }).end('answer');
        break;
      case 'secrets':
        response
          .writeHead(500, { 'set-cookie': 'session=1', 'x-api-key': 'k', 'x-note': 'n'.repeat(300) })
          .end('no such order');
        break;
      case 'long':
        response.writeHead(200).end(Buffer.alloc(5_000_000));
        break;
      case 'drip':
        response.writeHead(200).write('a');
        break;
      case 'cut':
        response.writeHead(200, { 'content-length': 100 }).write('half');
        setTimeout(() => response.destroy(), 5);
        break;
      case 'reset':
        request.socket.destroy();
        break;
      case 'hang':
        break;
      default:
        response.writeHead(204).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  received = [];
});

function send(path: string, options: Partial<CallbackOptions> = {}): Promise<CallbackResult> {
  const url = path.startsWith('/') ? `${origin}${path}` : path;
  return sendCallback(
    { id: 'evt_shop_1', url, payload: PAYLOAD, attempt: 1, failures: 0 },
    {
      fetch: (target, init) => fetch(target, init),
      urlPolicy: createUrlPolicy({ exemptOrigins: [origin] }),
      secretsFor: () => [RECEIVER_SECRET],
      timeoutMs: TIMEOUT_MS,
      now: () => Date.now(),
      ...options,
    },
  );
}

describe('a callback', () => {
  it('is signed by every secret of the receiver, HMAC and ed25519', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
    const secrets = [RECEIVER_SECRET, `whsk_${seed.toString('base64')}`];
    expect(await send('/ok', { secretsFor: () => secrets })).toMatchObject({
      outcome: 'delivered',
      status: 204,
      detail: null,
      retryAfterMs: null,
    });
    const [{ headers, body }] = received as [(typeof received)[0]];
    expect(body).toBe(PAYLOAD);
    expect(headers['content-type']).toBe('application/json');
    expect(new Webhook(RECEIVER_SECRET).verify(body, headers as Record<string, string>)).toEqual(JSON.parse(PAYLOAD));
    const asymmetric = String(headers['webhook-signature']).split(' ')[1]!.replace('v1a,', '');
    const content = Buffer.from(`evt_shop_1.${headers['webhook-timestamp']}.${body}`);
    expect(verify(null, content, publicKey, Buffer.from(asymmetric, 'base64'))).toBe(true);
  });

  it.each([
    ['/status/200', 'delivered', 200],
    ['/status/299', 'delivered', 299],
    ['/long', 'delivered', 200],
    ['/status/302', 'redirect', 302],
    ['/status/308', 'redirect', 308],
    ['/status/400', 'status', 400],
    ['/status/410', 'gone', 410],
    ['/status/429', 'status', 429],
    ['/status/500', 'status', 500],
    ['/hang', 'timeout', null],
    ['/drip', 'timeout', 200],
    ['/cut', 'network', 200],
    ['/reset', 'network', null],
  ])('to %s ends as %s', async (path, outcome, status) => {
    const result = await send(path);
    expect(result).toMatchObject({ outcome, status });
    expect(result.retryAfterMs).toBe(path.startsWith('/status') ? 120_000 : null);
    expect(received.map((request) => request.path)).toEqual([path]);
  });

  it('is not sent where it could not be signed, or may not go', async () => {
    expect(await send('/ok', { secretsFor: () => [] })).toMatchObject({ outcome: 'no_secret', status: null });
    expect(await send('/ok', { secretsFor: () => ['broken'] })).toMatchObject({ outcome: 'network', status: null });
    expect(await send('/ok', { urlPolicy: createUrlPolicy() })).toMatchObject({ outcome: 'not_allowed', status: null });
    expect(await send('https://169.254.169.254/')).toMatchObject({ outcome: 'not_allowed', status: null });
    expect(received).toEqual([]);
  });

  it('to a host that is not there fails', async () => {
    const refused = () => Promise.reject(new TypeError('connect ECONNREFUSED'));
    expect(await send('/ok', { fetch: refused })).toMatchObject({
      outcome: 'network',
      status: null,
      detail: 'connect ECONNREFUSED',
    });
  });
});

describe('what is kept of an attempt', () => {
  it('is the headers sent, without the signature, and the answer, without its secrets and bounded', async () => {
    const { exchange } = await send('/secrets');
    expect(exchange!.request.headers).toMatchObject({ 'webhook-id': 'evt_shop_1', 'webhook-signature': '(redacted)' });
    expect(JSON.stringify(exchange)).not.toContain(received[0]!.headers['webhook-signature']);
    expect(exchange!.response).toMatchObject({ body: 'no such order', truncated: false });
    expect(exchange!.response!.headers).toMatchObject({
      'set-cookie': '(redacted)',
      'x-api-key': '(redacted)',
      'x-note': 'n'.repeat(200),
    });
  });

  it('is the beginning of a long answer, and of one that breaks off', async () => {
    const long = (await send('/long')).exchange!.response!;
    expect([long.body.length, long.truncated]).toEqual([2048, true]);
    expect((await send('/cut')).exchange!.response).toMatchObject({ body: 'half', truncated: true });
  });

  it('is no response where none came, and nothing where nothing was sent', async () => {
    expect((await send('/hang')).exchange).toMatchObject({ request: { headers: {} }, response: null });
    expect((await send('/ok', { secretsFor: () => [] })).exchange).toBeNull();
    expect((await send('http://10.0.0.1/')).exchange).toBeNull();
  });
});
