/** Finds what the user means by SOURCE: a folder, a file, or a repository on the hub. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type FoundCheckpoint, readCheckpoint } from '../../../model-store/build/checkpoint/read-checkpoint.ts';
import { ModelError } from '../../../worker/errors.ts';
import { sha256File } from '../files/hash.ts';
import { cacheRoot, hubAccess } from './cache.ts';
import { diskDirectory } from './disk-directory.ts';
import { downloadFromHub, HUB_ID } from './hub-download.ts';

/** A checkpoint and where it came from. */
export interface OpenedSource extends FoundCheckpoint {
  /** As the user named it; a repository with its commit. */
  readonly reference: string;
  /** A name for the model, made from the source's. */
  readonly suggestedName: string;
  /** SHA-256 of the weights' file; of its `sha256sum` listing where there are several. */
  readonly sha256: string;
}

/**
 * Opens and reads a source.
 * @param revision of a repository on the hub; null for `main`.
 * @param env `HF_ENDPOINT`, `HF_TOKEN`, `BIT_EDGE_CACHE`, `XDG_CACHE_HOME`.
 * @throws ModelError or FetchError, naming what is wrong with what.
 */
export async function openSource(
  source: string,
  revision: string | null,
  env: Readonly<Record<string, string | undefined>>,
): Promise<OpenedSource> {
  const status = await stat(source).catch(() => null);
  if (status === null) {
    if (!HUB_ID.test(source)) {
      throw new ModelError(
        'invalid_checkpoint',
        `${source}: no such file or folder, and no name of a repository on the hub`,
      );
    }
    const cache = join(cacheRoot(env), 'hub');
    const { folder, commit } = await downloadFromHub(hubAccess(env), source, revision ?? 'main', cache);
    return read(folder, null, `${source}@${commit}`, basename(source));
  }
  if (revision !== null) {
    throw new ModelError('invalid_checkpoint', `${source} is on disk; --revision is for repositories on the hub`);
  }
  const path = resolve(source);
  if (status.isDirectory()) return read(path, null, source, basename(path));
  const stem = basename(path).replace(/(\.index)?\.[^.]+$/, '');
  return read(dirname(path), basename(path), source, stem === 'model' ? basename(dirname(path)) : stem);
}

async function read(folder: string, file: string | null, reference: string, name: string): Promise<OpenedSource> {
  const found = await readCheckpoint(diskDirectory(folder), file);
  const suggestedName = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);
  const sha256 = await hashWeights(folder, found.weightFiles);
  return { ...found, reference, suggestedName: suggestedName || 'bit', sha256 };
}

async function hashWeights(folder: string, files: readonly string[]): Promise<string> {
  const lines: string[] = [];
  for (const file of files) lines.push(`${await sha256File(join(folder, file))}  ${file}\n`);
  return lines.length === 1 ? lines[0]!.slice(0, 64) : createHash('sha256').update(lines.join('')).digest('hex');
}
