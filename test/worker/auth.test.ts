import { env, SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey, type Scope } from '../../worker/auth/api-key.ts';
import { putApiKey } from '../../worker/auth/key-store.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

let photo: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
});

function post(host: string, token?: string): Promise<Response> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return SELF.fetch(`http://${host}/v1/classify`, { method: 'POST', body: photo, headers });
}

async function createKey(scopes: Scope[]): Promise<string> {
  const random = crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES));
  const key = { name: 't', scopes, rateTier: 'standard', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
  const { token, record } = await mintApiKey(key, random);
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  return token;
}

describe('a deployment', () => {
  it('without keys is open on localhost and answers 500 auth_not_configured elsewhere', async () => {
    expect((await post('localhost')).status).toBe(200);
    const response = await post('bit-edge.example.workers.dev');
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: 'auth_not_configured' });
  });

  it('is not open to who says localhost and came through the network', async () => {
    const headers = { 'cf-ray': '8a1b2c3d4e5f6789-AMS' };
    const response = await SELF.fetch('http://localhost/v1/classify', { method: 'POST', body: photo, headers });
    expect(await response.json()).toMatchObject({ status: 500, code: 'auth_not_configured' });
  });

  it('serves health and models without a key', async () => {
    expect((await SELF.fetch('http://bit-edge.example.workers.dev/healthz')).status).toBe(200);
  });

  it('sends security headers and no CORS headers', async () => {
    const response = await SELF.fetch('http://localhost/healthz', { headers: { origin: 'https://elsewhere.example' } });
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('a key', () => {
  it('lets its scope in, is refused for another with 403, and unknown ones with 401 and WWW-Authenticate', async () => {
    const classify = await createKey(['classify']);
    const embed = await createKey(['embed']);
    const allowed = await post('bit-edge.example.workers.dev', classify);
    expect(allowed.status).toBe(200);
    expect(allowed.headers.get('ratelimit-limit')).toBe('600');
    expect((await post('bit-edge.example.workers.dev', embed)).status).toBe(403);
    const refused = await post('bit-edge.example.workers.dev', `${classify.slice(0, -4)}0000`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('is told 429 with Retry-After beyond its rate, while another key is served', async () => {
    const busy = await createKey(['classify']);
    const other = await createKey(['classify']);
    const id = busy.split('_')[1]!;
    let response: Response;
    // The window is aligned to the minute: once more where it has just turned.
    do {
      while ((await env.RATE_LIMITER.limit({ key: `key:${id}` })).success);
      response = await post('bit-edge.example.workers.dev', busy);
    } while (response.status === 200);
    expect(response.status).toBe(429);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(response.headers.get('ratelimit-remaining')).toBe('0');
    expect(await response.json()).toMatchObject({ code: 'rate_limited', limit: 600 });
    expect((await post('bit-edge.example.workers.dev', other)).status).toBe(200);
  });
});
