/** What belongs to one API key is not there for another; what is shared is what the documentation says is shared. */
import { env, SELF } from 'cloudflare:test';
import { beforeAll, expect, it } from 'vitest';
import { R2ObjectStore } from '../../model-store/r2-object-store.ts';
import { KEY_RANDOM_BYTES, mintApiKey, type Scope } from '../../worker/auth/api-key.ts';
import { putApiKey } from '../../worker/auth/key-store.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const HOST = 'https://bit-edge.example.com';

let photo: Uint8Array<ArrayBuffer>;
let owner: string;
let other: string;
let admin: string;

beforeAll(async () => {
  await seedDefaultModel();
  photo = await readFixture('photo.png');
  [owner, other, admin] = await Promise.all([
    createKey(['moderate']),
    createKey(['moderate']),
    createKey(['moderate', 'admin']),
  ]);
});

async function createKey(scopes: Scope[]): Promise<string> {
  const key = { name: 't', scopes, rateTier: 'standard', createdAt: '2026-01-01T00:00:00Z', expiresAt: null } as const;
  const { token, record } = await mintApiKey(key, crypto.getRandomValues(new Uint8Array(KEY_RANDOM_BYTES)));
  await putApiKey(new R2ObjectStore(env.MODELS), record);
  return token;
}

function call(token: string, path: string, init: RequestInit = {}): Promise<Response> {
  return SELF.fetch(HOST + path, { ...init, headers: { authorization: `Bearer ${token}` } });
}

async function listed(token: string): Promise<string[]> {
  const page = (await (await call(token, '/v1/decisions?limit=1000')).json()) as { decisions: { id: string }[] };
  return page.decisions.map(({ id }) => id);
}

it("decisions are the key's that asked for them: another key neither lists nor reads them; one with admin does both", async () => {
  const response = await call(owner, '/v1/moderate', { method: 'POST', body: photo });
  expect(response.status).toBe(200);
  const { id } = (await response.json()) as { id: string };
  await expect.poll(() => listed(owner)).toEqual([id]);
  expect((await call(owner, `/v1/decisions/${id}`)).status).toBe(200);
  expect(await listed(other)).toEqual([]);
  const missing = await call(other, `/v1/decisions/${id}`);
  expect(await missing.json()).toMatchObject({ status: 404, code: 'not_found' });
  expect(await listed(admin)).toEqual([id]);
  expect((await call(admin, `/v1/decisions/${id}`)).status).toBe(200);
});
