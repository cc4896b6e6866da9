/** Pictures of this machine into the uploads bucket, where jobs and moderation read them. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import type { ObjectStore } from '../../../model-store/object-store.ts';
import { sha256Hex } from '../../../model-store/sha256.ts';
import { detectFormat } from '../../../worker/imaging/format.ts';
import { ConcurrencyLimit } from '../../../worker/jobs/concurrency-limit.ts';

/** Uploads at a time. */
const CONCURRENCY = 6;

/** A picture that is in the bucket. */
export interface Uploaded {
  readonly path: string;
  readonly key: string;
}

/** A file of this machine, and its name below the prefix. */
interface LocalFile {
  readonly path: string;
  readonly name: string;
}

/**
 * Uploads files, and the pictures of folders with the folders' structure.
 * @param prefix of the keys, with its slash.
 * @returns what is in the bucket now, in the order of the paths; files of a folder that are no pictures are passed over.
 * @throws ImageError for a file named by itself that is no picture; what was uploaded before stays.
 */
export async function putFiles(store: ObjectStore, paths: readonly string[], prefix: string): Promise<Uploaded[]> {
  const files = (await Promise.all(paths.map(listFiles))).flat();
  const limit = new ConcurrencyLimit(CONCURRENCY);
  const putting = files.map(({ path, name }) =>
    limit.run(async (): Promise<Uploaded> => {
      const bytes = new Uint8Array(await readFile(path));
      const key = `${prefix}${name}`;
      await store.put(key, bytes, { contentType: `image/${detectFormat(bytes)}`, sha256: await sha256Hex(bytes) });
      return { path, key };
    }),
  );
  // The store is closed behind this: nothing may still be on its way when a failure is thrown.
  const ended = await Promise.allSettled(putting);
  return ended.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}

async function listFiles(path: string): Promise<LocalFile[]> {
  if (!(await stat(path)).isDirectory()) return [{ path, name: basename(path) }];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const pictures: LocalFile[] = [];
  for (const file of files.sort()) {
    if (await isPicture(file)) pictures.push({ path: file, name: relative(path, file).split(sep).join('/') });
  }
  return pictures;
}

async function isPicture(path: string): Promise<boolean> {
  try {
    detectFormat(new Uint8Array(await readFile(path)));
    return true;
  } catch {
    // A note, a sidecar, a format that is not decoded: not what a folder of pictures is uploaded for.
    return false;
  }
}
