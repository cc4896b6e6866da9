import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryObjectStore } from '../../../model-store/memory-object-store.ts';
import { apiKeyObjectKey, KEY_RANDOM_BYTES, mintApiKey, type NewApiKey } from '../../../worker/auth/api-key.ts';
import { type AuthMode, authenticate } from '../../../worker/auth/authenticate.ts';
import { deleteApiKey, KeyStore, listApiKeys, putApiKey } from '../../../worker/auth/key-store.ts';

const MAX_AGE_MS = 1000;
const NEW_KEY: NewApiKey = {
  name: 'test',
  scopes: ['classify'],
  rateTier: 'high',
  createdAt: '2026-01-01T00:00:00Z',
  expiresAt: null,
};

let store: MemoryObjectStore;
let clock: number;
let keys: KeyStore;

beforeEach(() => {
  store = new MemoryObjectStore();
  clock = Date.parse('2026-06-01T00:00:00Z');
  keys = new KeyStore(store, MAX_AGE_MS, () => clock);
});

async function create(change: Partial<NewApiKey> = {}, fill = 7): Promise<string> {
  const { token, record } = await mintApiKey({ ...NEW_KEY, ...change }, new Uint8Array(KEY_RANDOM_BYTES).fill(fill));
  expect(await putApiKey(store, record)).toBe(true);
  return token;
}

function call(token: string | undefined, host = 'api.example.com', mode: AuthMode = 'keys', isLocal = true) {
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  return authenticate({ authorization, host, isLocal }, 'classify', mode, keys, clock);
}

describe('without keys', () => {
  it('is open on localhost, with or without a token, and refuses elsewhere', async () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]']) {
      await expect(call(undefined, host)).resolves.toMatchObject({ id: 'anonymous' });
    }
    await expect(call('hf_anything', 'localhost')).resolves.toMatchObject({ id: 'anonymous' });
    await expect(call(undefined)).rejects.toMatchObject({ code: 'auth_not_configured' });
    await expect(call('hf_anything')).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('that is not local refuses whoever says localhost, who is limited as anybody with AUTH=none', async () => {
    const refused = { code: 'auth_not_configured' };
    await expect(call(undefined, 'localhost', 'keys', false)).rejects.toMatchObject(refused);
    await expect(call('hf_anything', 'localhost', 'keys', false)).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(call(undefined, 'localhost', 'none', false)).resolves.toMatchObject({ rateTier: 'standard' });
  });

  it('is open everywhere with AUTH=none', async () => {
    await expect(call(undefined, 'api.example.com', 'none')).resolves.toMatchObject({ id: 'anonymous' });
  });
});

describe('with keys', () => {
  it('lets the right token in and knows its id and tier; localhost needs one too', async () => {
    const token = await create();
    await expect(call(token)).resolves.toEqual({ id: '0707070707070707', rateTier: 'high', scopes: ['classify'] });
    await expect(call(undefined, 'localhost')).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('refuses a wrong secret, an unknown id and anything else in one and the same way', async () => {
    const token = await create();
    const wrong = [`${token.slice(0, -1)}0`, token.replace('0707', '0808'), 'bek_', 'x', token.toUpperCase()];
    const errors = await Promise.all(wrong.map((each) => call(each).catch((error: Error) => error.message)));
    expect(new Set(errors)).toEqual(new Set(['the API key is unknown, wrong or expired']));
  });

  it('refuses another scope with 403, naming it', async () => {
    const token = await create({ scopes: ['embed', 'jobs'] });
    await expect(call(token)).rejects.toMatchObject({ code: 'forbidden', details: { scope: 'classify' } });
  });

  it('refuses from the moment a key expires', async () => {
    const token = await create({ expiresAt: '2026-06-01T00:00:01Z' });
    clock += 999;
    await expect(call(token)).resolves.toBeDefined();
    clock += 1;
    await expect(call(token)).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('stores no secret: the record cannot be turned into a token', async () => {
    const token = await create();
    const stored = JSON.stringify(await listApiKeys(store));
    expect(stored).not.toContain(token.split('_')[2]);
  });

  it('rotates without downtime: both keys work until the old one is revoked, which is seen within the look-up age', async () => {
    const old = await create();
    const fresh = await create({}, 9);
    await expect(call(old)).resolves.toBeDefined();
    expect(await deleteApiKey(store, '0707070707070707')).toBe(true);
    await expect(call(old)).resolves.toBeDefined();
    clock += MAX_AGE_MS;
    await expect(call(old)).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(call(fresh)).resolves.toBeDefined();
  });

  it('names the object of a damaged record, in a look-up and in the list', async () => {
    const key = apiKeyObjectKey('0707070707070707');
    await store.put(key, new TextEncoder().encode('{}'));
    await expect(keys.find('0707070707070707')).rejects.toMatchObject({ message: `${key} is not a key record` });
    await expect(listApiKeys(store)).rejects.toMatchObject({ message: `${key} is not a key record` });
  });
});
