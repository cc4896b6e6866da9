/** Buckets into a backup's folder and back. The stores are handed in. */
import { listAll, type ObjectStore } from '../../../model-store/object-store.ts';
import { sha256OfBytes } from '../files/hash.ts';
import type { BackedUpObject, BackupFolder } from './backup-folder.ts';

/**
 * Copies a bucket. What the last backup has of an object that has not changed since (by its etag) is not read again.
 * @param onObject told of each object, with whether it was read.
 */
export async function backUpBucket(
  store: ObjectStore,
  folder: BackupFolder,
  earlier: readonly BackedUpObject[],
  onObject: (object: BackedUpObject, wasRead: boolean) => void,
): Promise<BackedUpObject[]> {
  const known = new Map(earlier.map((object) => [object.key, object]));
  const objects: BackedUpObject[] = [];
  for (const { key, size, etag } of await listAll(store, '')) {
    const before = known.get(key);
    const isSame = before !== undefined && before.etag === etag && (await folder.has(before.sha256, size));
    const object = isSame ? before : await readObject(store, folder, key);
    // Deleted since it was listed.
    if (object === null) continue;
    objects.push(object);
    onObject(object, !isSame);
  }
  return objects;
}

async function readObject(store: ObjectStore, folder: BackupFolder, key: string): Promise<BackedUpObject | null> {
  const found = await store.get(key);
  if (found === null) return null;
  const bytes = await found.bytes();
  return { key, size: bytes.byteLength, etag: found.etag, sha256: await folder.keep(bytes) };
}

/** What came of restoring one object: `kept` is another content that is there and was left alone. */
export type Restored = 'written' | 'same' | 'kept';

/**
 * Puts a bucket's objects back, so that what is broken off leaves no half version: files first, then manifests, then what names
 * them.
 * @param overwrite whether an object that is there with another content is replaced.
 * @throws RequestError where the backup is damaged: then nothing names what is missing.
 */
export async function restoreBucket(
  store: ObjectStore,
  folder: BackupFolder,
  objects: readonly BackedUpObject[],
  overwrite: boolean,
  onObject: (object: BackedUpObject, outcome: Restored) => void,
): Promise<void> {
  for (const object of objects.toSorted((a, b) => rank(a.key) - rank(b.key))) {
    const bytes = await folder.read(object);
    const written = await store.put(object.key, bytes, {
      sha256: object.sha256,
      ...(overwrite ? {} : { onlyIf: { absent: true } }),
    });
    onObject(object, written ? 'written' : (await isSame(store, object)) ? 'same' : 'kept');
  }
}

async function isSame(store: ObjectStore, { key, sha256, size }: BackedUpObject): Promise<boolean> {
  const head = await store.head(key);
  if (head === null || head.size !== size) return false;
  if (head.sha256 !== null) return head.sha256 === sha256;
  const found = await store.get(key);
  return found !== null && sha256OfBytes(await found.bytes()) === sha256;
}

/** Where an object comes in the order of restoring. */
function rank(key: string): number {
  if (key.startsWith('aliases/') || key.includes('/index/')) return 2;
  return key.endsWith('/manifest.json') ? 1 : 0;
}
