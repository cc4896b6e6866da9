import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryObjectStore } from '../../../../model-store/memory-object-store.ts';
import type { PutOptions } from '../../../../model-store/object-store.ts';
import { type BackedUpObject, BackupFolder } from '../../../../scripts/cli/backup/backup-folder.ts';
import { backUpBucket, restoreBucket } from '../../../../scripts/cli/backup/buckets.ts';

const OBJECTS = {
  'aliases/models/m/latest.json': '{"version":"1"}',
  'heads/key/index/fruit.json': '{}',
  'keys/abc.json': '{"sha256":"..."}',
  'models/m/1/manifest.json': '{"schema_version":1}',
  'models/m/1/model.onnx': 'graph',
  'models/m/2/model.onnx': 'graph',
};

/** Remembers the order of its writes. */
class OrderedStore extends MemoryObjectStore {
  readonly written: string[] = [];
  override async put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<boolean> {
    const written = await super.put(key, bytes, options);
    if (written) this.written.push(key);
    return written;
  }
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
let path: string;
let folder: BackupFolder;
let source: MemoryObjectStore;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'bit-edge-backup-'));
  folder = new BackupFolder(path);
  source = new MemoryObjectStore();
  for (const [key, text] of Object.entries(OBJECTS)) await source.put(key, utf8(text));
});
afterEach(() => rm(path, { recursive: true, force: true }));

async function backUp(earlier: readonly BackedUpObject[] = []): Promise<{ objects: BackedUpObject[]; read: string[] }> {
  const read: string[] = [];
  const objects = await backUpBucket(source, folder, earlier, ({ key }, wasRead) => {
    if (wasRead) read.push(key);
  });
  return { objects, read };
}

async function contents(store: MemoryObjectStore): Promise<Record<string, string>> {
  const { objects } = await store.list('');
  const entries = objects.map(async ({ key }) => [
    key,
    new TextDecoder().decode(await (await store.get(key))!.bytes()),
  ]);
  return Object.fromEntries(await Promise.all(entries)) as Record<string, string>;
}

it('puts everything back: files, then manifests, then what names them', async () => {
  const { objects } = await backUp();
  const target = new OrderedStore();
  await restoreBucket(target, folder, objects, false, () => {});
  expect(await contents(target)).toEqual(OBJECTS);
  expect(target.written.indexOf('models/m/1/manifest.json')).toBeGreaterThan(
    target.written.indexOf('models/m/2/model.onnx'),
  );
  expect(target.written.slice(-2).sort()).toEqual(['aliases/models/m/latest.json', 'heads/key/index/fruit.json']);
});

it('keeps a content once, and reads only what has changed since', async () => {
  const first = await backUp();
  expect(first.read).toHaveLength(6);
  expect(await readdir(join(path, 'objects'))).toHaveLength(5);
  await source.put('aliases/models/m/latest.json', utf8('{"version":"2"}'));
  await source.delete(['keys/abc.json']);
  const second = await backUp(first.objects);
  expect(second.read).toEqual(['aliases/models/m/latest.json']);
  expect(second.objects.map(({ key }) => key)).not.toContain('keys/abc.json');
});

it('leaves another content alone, unless it may be overwritten', async () => {
  const { objects } = await backUp();
  const target = new MemoryObjectStore();
  await target.put('models/m/1/model.onnx', utf8('other'));
  await target.put('keys/abc.json', utf8(OBJECTS['keys/abc.json']));
  const outcomes: Record<string, string> = {};
  await restoreBucket(target, folder, objects, false, ({ key }, outcome) => {
    outcomes[key] = outcome;
  });
  expect(outcomes).toMatchObject({
    'models/m/1/model.onnx': 'kept',
    'keys/abc.json': 'same',
    'models/m/2/model.onnx': 'written',
  });
  await restoreBucket(target, folder, objects, true, () => {});
  expect(await contents(target)).toEqual(OBJECTS);
});

it('refuses a damaged backup before anything names what is missing', async () => {
  const { objects } = await backUp();
  const graph = objects.find(({ key }) => key === 'models/m/1/model.onnx')!;
  await writeFile(join(path, 'objects', graph.sha256), 'GRAPH');
  const target = new MemoryObjectStore();
  await expect(restoreBucket(target, folder, objects, false, () => {})).rejects.toThrow(/is damaged/);
  expect(Object.keys(await contents(target)).filter((key) => key.startsWith('aliases/'))).toEqual([]);
});

it('is there with its index, not before', async () => {
  expect(await folder.readIndex()).toBeNull();
  await writeFile(join(path, 'backup.json'), '{"schema_version":2}');
  await expect(folder.readIndex()).rejects.toThrow(/not the index of a backup of this release/);
});
