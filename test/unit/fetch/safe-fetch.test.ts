/**
 * Against a live server on loopback that redirects, stalls and lies. The policy exempts that one host and port;
 * a second server on another port stands for the internal service that must never be reached.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FetchError } from '../../../worker/errors.ts';
import { type FetchedResource, type SafeFetchOptions, safeFetch } from '../../../worker/fetch/safe-fetch.ts';
import { createUrlPolicy } from '../../../worker/fetch/url-policy.ts';
import { HOSTILE_URLS } from '../../support/urls.ts';

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');
const MAX_BYTES = 1000;

let origin = '';
let secretOrigin = '';
let secretHits = 0;
let seen: IncomingMessage[] = [];
const servers: Server[] = [];

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  secretOrigin = await listen((_request, response) => {
    secretHits++;
    response.writeHead(200, { 'content-type': 'image/png' }).end(PNG);
  });
  origin = await listen((request, response) => {
    seen.push(request);
    const url = new URL(request.url ?? '/', origin);
    const to = url.searchParams.get('to') ?? '';
    const size = Number(url.searchParams.get('bytes'));
    switch (url.pathname) {
      case '/image':
        response.writeHead(200, { 'content-type': 'image/png; charset=binary' }).end(PNG);
        break;
      case '/redirect':
        response.writeHead(Number(url.searchParams.get('status') ?? 302), to === '' ? {} : { location: to });
        response.end('moved');
        break;
      case '/hops': {
        const left = Number(url.searchParams.get('n'));
        response.writeHead(302, { location: left === 0 ? '/image' : `/hops?n=${left - 1}` }).end();
        break;
      }
      case '/declared':
        response.writeHead(200, { 'content-type': 'image/png', 'content-length': size }).end(Buffer.alloc(size));
        break;
      case '/chunked':
        response.writeHead(200, { 'content-type': 'image/png' });
        for (let sent = 0; sent < size; sent += 100) response.write(Buffer.alloc(Math.min(100, size - sent)));
        response.end();
        break;
      case '/bomb':
        response.writeHead(200, { 'content-type': 'image/png', 'content-encoding': 'gzip' });
        response.end(gzipSync(Buffer.alloc(50_000)));
        break;
      case '/html':
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
        break;
      case '/untyped':
        response.writeHead(200).end(PNG);
        break;
      case '/status':
        response.writeHead(Number(url.searchParams.get('status')), { 'content-type': 'image/png' }).end(PNG);
        break;
      case '/empty':
        response.writeHead(200, { 'content-type': 'image/png' }).end();
        break;
      case '/silent':
        break;
      case '/drip':
        response.writeHead(200, { 'content-type': 'image/png' }).write(PNG);
        break;
      case '/cut':
        response.writeHead(200, { 'content-type': 'image/png', 'content-length': 100 }).write(PNG);
        setTimeout(() => request.socket.destroy(), 20);
        break;
      default:
        response.writeHead(404).end();
    }
  });
});

afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

beforeEach(() => {
  secretHits = 0;
  seen = [];
});

function get(path: string, options: Partial<SafeFetchOptions> = {}): Promise<FetchedResource> {
  return safeFetch(path.startsWith('/') ? `${origin}${path}` : path, {
    fetch: (url, init) => fetch(url, init),
    policy: createUrlPolicy({ exemptOrigins: [origin] }),
    maxBytes: MAX_BYTES,
    contentTypes: ['image/*'],
    timeoutMs: 5_000,
    ...options,
  });
}

async function failure(path: string, options: Partial<SafeFetchOptions> = {}): Promise<string> {
  try {
    await get(path, options);
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    return `${error.code}: ${error.details.reason ?? ''}`;
  }
  return 'no error';
}

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('follows a %i', async (status) => {
    const resource = await get(`/redirect?status=${status}&to=/image`);
    expect(resource).toMatchObject({ url: `${origin}/image`, contentType: 'image/png', redirects: 1 });
    expect(Buffer.from(resource.bytes)).toEqual(PNG);
  });

  it('follows three hops and refuses the fourth', async () => {
    expect((await get('/hops?n=2')).redirects).toBe(3);
    expect(await failure('/hops?n=3')).toBe('fetch_failed: too_many_redirects');
  });

  it('never reaches a second origin on the same address', async () => {
    expect(await failure(`/redirect?to=${encodeURIComponent(`${secretOrigin}/`)}`)).toBe('url_not_allowed: scheme');
    expect(await failure(`${secretOrigin}/`)).toBe('url_not_allowed: scheme');
    expect(secretHits).toBe(0);
  });

  it.each(HOSTILE_URLS.filter(([url]) => /^[a-z]+:/i.test(url) && !/[^\u0021-\u007e]/.test(url) && url.length < 2000))(
    'refuses a redirect to %j: %s',
    async (url, reason) => {
      expect(await failure(`/redirect?to=${encodeURIComponent(url)}`)).toBe(`url_not_allowed: ${reason}`);
      expect(seen).toHaveLength(1);
    },
  );

  it.each(['//127.0.0.1:1/', '//localhost/', '/\\169.254.169.254/', '\\\\169.254.169.254/'])(
    'refuses a redirect to the relative %j',
    async (location) => {
      expect(await failure(`/redirect?to=${encodeURIComponent(location)}`)).toMatch(/^url_not_allowed/);
      expect(seen).toHaveLength(1);
    },
  );

  it('refuses a redirect that names no place, and a 300 or 304', async () => {
    expect(await failure('/redirect')).toBe('fetch_failed: bad_redirect');
    expect(await failure('/status?status=300')).toBe('fetch_failed: status');
    expect(await failure('/status?status=304')).toBe('fetch_failed: status');
  });
});

describe('size, type and status', () => {
  it.each([
    ['/declared?bytes=999', 999],
    ['/declared?bytes=1000', 1000],
    ['/chunked?bytes=999', 999],
    ['/chunked?bytes=1000', 1000],
  ])('takes %s', async (path, bytes) => {
    expect((await get(path)).bytes).toHaveLength(bytes);
  });

  it.each([
    ['/declared?bytes=1001', 'too_large'],
    ['/chunked?bytes=1001', 'too_large'],
    ['/chunked?bytes=5000000', 'too_large'],
    ['/bomb', 'too_large'],
    ['/html', 'content_type'],
    ['/untyped', 'content_type'],
    ['/empty', 'empty'],
    ['/status?status=204', 'status'],
    ['/status?status=206', 'status'],
    ['/status?status=404', 'status'],
    ['/status?status=500', 'status'],
    ['/cut', 'network'],
  ])('refuses %s: %s', async (path, reason) => {
    expect(await failure(path)).toBe(`fetch_failed: ${reason}`);
  });

  it('matches exact types and families, not prefixes', async () => {
    expect((await get('/image', { contentTypes: ['image/jpeg', 'image/png'] })).contentType).toBe('image/png');
    expect(await failure('/image', { contentTypes: ['image/pn', 'ima/*', 'image/jpeg'] })).toBe(
      'fetch_failed: content_type',
    );
  });

  it('sends no more than it must', async () => {
    await get('/image');
    expect(seen[0]!.headers).toMatchObject({ accept: 'image/*', 'user-agent': 'bit-edge' });
    expect(seen[0]!.headers).not.toHaveProperty('cookie');
    expect(seen[0]!.headers).not.toHaveProperty('authorization');
  });
});

describe('memory', () => {
  it.each([
    ['/declared?bytes=1000', 1000],
    ['/declared?bytes=10', 10],
    ['/chunked?bytes=10', MAX_BYTES],
  ])('is reserved for %s before it is read: %i bytes', async (path, bytes) => {
    const reserved: number[] = [];
    await get(path, { reserve: async (most) => void reserved.push(most) });
    expect(reserved).toEqual([bytes]);
  });

  it('is not reserved for what is refused, and its refusal ends the fetch', async () => {
    const reserve = async () => {
      throw new FetchError('fetch_failed', 'no memory', { details: { reason: 'no memory' } });
    };
    expect(await failure('/declared?bytes=1001', { reserve })).toBe('fetch_failed: too_large');
    expect(await failure('/html', { reserve })).toBe('fetch_failed: content_type');
    expect(await failure('/image', { reserve })).toBe('fetch_failed: no memory');
  });
});

describe('deadline', () => {
  it.each(['/silent', '/drip'])('ends %s', async (path) => {
    expect(await failure(path, { timeoutMs: 60 })).toMatch(/^fetch_timeout/);
  });

  it('ends a fetch function and a resolver that ignore the signal', async () => {
    const never = () => new Promise<never>(() => undefined);
    expect(await failure('/image', { timeoutMs: 20, fetch: never })).toMatch(/^fetch_timeout/);
    expect(await failure('https://example.com/', { timeoutMs: 20, resolve: never })).toMatch(/^fetch_timeout/);
  });

  it('counts all hops together', async () => {
    const slow: SafeFetchOptions['fetch'] = async (url, init) => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return fetch(url, init);
    };
    expect(await failure('/hops?n=2', { timeoutMs: 100, fetch: slow })).toMatch(/^fetch_timeout/);
  });
});

describe('names', () => {
  const reach = (addresses: readonly string[]) =>
    failure('https://images.example.com/', { resolve: async () => addresses, fetch: () => get404() });
  const get404 = async () => new Response('', { status: 404 });

  it('refuses a name when one of its addresses is not public', async () => {
    expect(await reach(['93.184.216.34', '127.0.0.1'])).toBe('url_not_allowed: loopback');
    expect(await reach(['::ffff:10.0.0.1'])).toBe('url_not_allowed: ipv4_in_ipv6');
  });

  it('refuses a name without addresses', async () => {
    expect(await reach([])).toBe('fetch_failed: unresolved');
  });

  it('goes on when all of them are public', async () => {
    expect(await reach(['93.184.216.34', '2606:4700::1111'])).toBe('fetch_failed: status');
  });

  it('says so when the host cannot be reached', async () => {
    const refused = () => Promise.reject(new TypeError('connect ECONNREFUSED'));
    expect(await failure('https://images.example.com/', { fetch: refused })).toBe('fetch_failed: network');
  });
});
