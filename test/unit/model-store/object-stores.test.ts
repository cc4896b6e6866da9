import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryObjectStore } from '../../../model-store/memory-object-store.ts';
import { listAll, type ObjectStore } from '../../../model-store/object-store.ts';
import { sha256Hex } from '../../../model-store/sha256.ts';
import { FolderObjectStore } from '../../../scripts/cli/store/folder-object-store.ts';
import type { OpenStore } from '../../../scripts/cli/store/opened-store.ts';
import { openR2Bucket } from '../../../scripts/cli/store/r2-bucket.ts';

const directories: string[] = [];
async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'bit-edge-test-'));
  directories.push(directory);
  return directory;
}
afterAll(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

const nothing = async () => {};
const openers: [string, () => Promise<OpenStore>][] = [
  ['memory', async () => ({ store: new MemoryObjectStore(), description: 'memory', close: nothing })],
  [
    'folder',
    async () => ({ store: new FolderObjectStore(await temporaryDirectory()), description: 'folder', close: nothing }),
  ],
  ['local R2', async () => openR2Bucket('local', 'wrangler.toml', await temporaryDirectory())],
];

describe.each(openers)('%s as an object store', (_, openStore) => {
  let open: OpenStore;
  let store: ObjectStore;
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);

  beforeAll(async () => {
    open = await openStore();
    store = open.store;
  }, 60_000);
  afterAll(async () => open.close());

  it('gives back whole objects and ranges, and null where there is none', async () => {
    expect(await store.put('a/b/c.bin', bytes)).toBe(true);
    expect(await (await store.get('a/b/c.bin'))!.bytes()).toEqual(bytes);
    expect(await (await store.get('a/b/c.bin', { offset: 10, length: 20 }))!.bytes()).toEqual(bytes.subarray(10, 30));
    expect(await (await store.get('a/b/c.bin', { offset: 990 }))!.bytes()).toEqual(bytes.subarray(990));
    expect(await store.get('a/b/other')).toBeNull();
    expect(await store.head('a/b')).toBeNull();
  });

  it('streams an object', async () => {
    await store.put('stream', bytes);
    const received: number[] = [];
    for await (const chunk of (await store.get('stream'))!.body) received.push(...chunk);
    expect(Uint8Array.from(received)).toEqual(bytes);
  });

  it('keeps the SHA-256 it was told, and refuses bytes that have another', async () => {
    const sha256 = await sha256Hex(bytes);
    await store.put('hashed', bytes, { sha256 });
    expect(await store.head('hashed')).toMatchObject({ key: 'hashed', size: 1000, sha256 });
    await expect(store.put('broken', bytes, { sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'model_corrupt',
    });
    expect(await store.head('broken')).toBeNull();
  });

  it('writes only where nothing is, when asked to', async () => {
    expect(await store.put('once', bytes, { onlyIf: { absent: true } })).toBe(true);
    expect(await store.put('once', bytes.subarray(1), { onlyIf: { absent: true } })).toBe(false);
    expect((await store.head('once'))!.size).toBe(1000);
  });

  it('writes only over the version that was seen, when asked to', async () => {
    await store.put('seen', bytes);
    const { etag } = (await store.head('seen'))!;
    expect(await store.put('seen', bytes.subarray(1), { onlyIf: { etag } })).toBe(true);
    expect(await store.put('seen', bytes.subarray(2), { onlyIf: { etag } })).toBe(false);
    expect(await store.put('unseen', bytes, { onlyIf: { etag } })).toBe(false);
    expect((await store.head('seen'))!.size).toBe(999);
  });

  it('lists by prefix in order of the keys, page after page, and deletes', async () => {
    const keys = Array.from({ length: 120 }, (_, i) => `list/x${String(i).padStart(3, '0')}`);
    for (const key of keys) await store.put(key, bytes.subarray(0, 1));
    await store.put('list/y', bytes);
    expect((await listAll(store, 'list/x')).map(({ key }) => key)).toEqual(keys);
    await store.delete([...keys, 'list/never-was']);
    expect((await listAll(store, 'list/')).map(({ key }) => key)).toEqual(['list/y']);
    expect(await listAll(store, 'nothing/')).toEqual([]);
  }, 30_000);
});

it('is not fooled by a key that climbs out of the folder', async () => {
  const store = new FolderObjectStore(await temporaryDirectory());
  await expect(store.put('../escaped', new Uint8Array(1))).rejects.toThrowError('bad key');
});
