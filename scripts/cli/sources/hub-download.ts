/**
 * A checkpoint from Hugging Face's hub into a cache on disk: pinned to one commit, resumed where it stopped, and checked
 * against the hashes that the hub gives.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  PYTORCH_FILE,
  PYTORCH_INDEX_FILE,
  SAFETENSORS_FILE,
  SAFETENSORS_INDEX_FILE,
} from '../../../model-store/build/checkpoint/weight-files.ts';
import { FetchError, ModelError } from '../../../worker/errors.ts';
import { formatBytes, Progress } from '../progress.ts';
import {
  describeHubFile,
  type HubAccess,
  type HubFile,
  openHubFile,
  retryDelayMs,
  TransientHubError,
} from './hub-client.ts';

/** A repository's name: `google/bit-50`. */
export const HUB_ID = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;

/** A transfer that brings nothing for this long has broken. */
const STALL_MS = 30_000;

/** Attempts in a row that bring not a byte before it gives up. */
const MAX_IDLE_ATTEMPTS = 5;

/** What may lie beside the weights, and is fetched where it is there. */
const OPTIONAL_FILES = ['preprocessor_config.json', 'processor_config.json'];

/** Weights, whole or the index of their shards; the first that is there is fetched. */
const WEIGHTS = [SAFETENSORS_FILE, SAFETENSORS_INDEX_FILE, PYTORCH_FILE, PYTORCH_INDEX_FILE];

/** Where the checkpoint lies now. */
export interface Downloaded {
  readonly folder: string;
  readonly id: string;
  /** The commit that the revision meant; the revision itself where the server does not say. */
  readonly commit: string;
}

/**
 * Downloads a repository's config, processor and weights.
 * @param cache the root of the cache; files of a commit never change, so those that are there are only checked.
 * @throws FetchError where the repository, revision or a file is not there, or bytes fail their hash.
 * @throws ModelError `invalid_checkpoint` where the repository has no weights that can be read.
 */
export async function downloadFromHub(
  access: HubAccess,
  id: string,
  revision: string,
  cache: string,
): Promise<Downloaded> {
  const config = await describeHubFile(access, id, revision, 'config.json');
  if (config === null) throw new FetchError('object_not_found', `${id}@${revision} has no config.json`);
  const commit = config.commit ?? revision;
  const folder = join(cache, `models--${id.replace('/', '--')}`, commit.replaceAll('/', '--'));
  const get = async (name: string, known?: HubFile): Promise<boolean> => {
    const file = known ?? (await describeHubFile(access, id, commit, name));
    if (file === null) return false;
    await downloadFile(access, file, join(folder, name), name);
    return true;
  };
  await get('config.json', config);
  for (const name of OPTIONAL_FILES) await get(name);
  const weights = await firstOf(WEIGHTS, get);
  if (weights === null) {
    throw new ModelError('invalid_checkpoint', `${id}@${commit} has none of ${WEIGHTS.join(', ')}`, {
      details: { repository: id },
    });
  }
  if (weights.endsWith('.index.json')) {
    for (const shard of await shardNames(folder, weights)) {
      if (!(await get(shard)))
        throw new FetchError('object_not_found', `${id}@${commit} has no ${shard}, which its index names`);
    }
  }
  return { folder, id, commit };
}

/** One file into the cache, unless it is there. */
async function downloadFile(access: HubAccess, file: HubFile, path: string, name: string): Promise<void> {
  if (await isWhole(path, file)) return;
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${file.etag?.slice(0, 16) ?? 'unhashed'}.incomplete`;
  // Without a hash nobody knows what an earlier attempt was of.
  if (file.etag === null) await rm(partial, { force: true });
  const resumed = (await sizeOf(partial)) > 0;
  await transfer(access, file, partial, name);
  if (file.etag !== null && !(await isWhole(partial, file))) {
    await rm(partial, { force: true });
    if (resumed) return downloadFile(access, file, path, name);
    throw new FetchError(
      'fetch_failed',
      `${name}: the bytes that came do not have the hash the hub gives (${file.etag})`,
      {
        details: { file: name, expected: file.etag ?? 'unknown' },
      },
    );
  }
  await rename(partial, path);
}

/** Fetches what is missing of a file, again and again as long as something comes. */
async function transfer(access: HubAccess, file: HubFile, partial: string, name: string): Promise<void> {
  const progress = new Progress(name, file.size ?? 0, formatBytes);
  let failures = 0;
  for (;;) {
    const before = await sizeOf(partial);
    if (file.size !== null && before === file.size) break;
    try {
      await transferOnce(access, file, partial, file.size !== null && before > file.size ? 0 : before, progress);
      break;
    } catch (error) {
      if (!(error instanceof TransientHubError)) throw error;
      failures = (await sizeOf(partial)) > before ? 1 : failures + 1;
      if (failures >= MAX_IDLE_ATTEMPTS) {
        throw new FetchError('fetch_failed', `${name}: ${error.message}; run it again to resume`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs(error, failures)));
    }
  }
  progress.finish(formatBytes(await sizeOf(partial)));
}

async function transferOnce(
  access: HubAccess,
  file: HubFile,
  partial: string,
  offset: number,
  progress: Progress,
): Promise<void> {
  const body = await openHubFile(access, file, offset);
  const output = await open(partial, body.offset === 0 ? 'w' : 'r+');
  const reader = body.stream.getReader();
  let stall: NodeJS.Timeout | undefined;
  try {
    let position = body.offset;
    for (;;) {
      const stalled = new Promise<never>((_, reject) => {
        stall = setTimeout(
          () => reject(new TransientHubError(`${file.url}: nothing came for ${STALL_MS} ms`, null)),
          STALL_MS,
        );
      });
      const step = await Promise.race([reader.read(), stalled]);
      clearTimeout(stall);
      if (step.done) break;
      await output.write(step.value, 0, step.value.length, position);
      position += step.value.length;
      progress.update(position);
    }
    if (file.size !== null && position < file.size) {
      throw new TransientHubError(`${file.url}: connection ended after ${position} of ${file.size} bytes`, null);
    }
    await output.truncate(position);
  } catch (error) {
    if (error instanceof TransientHubError || !(error instanceof TypeError)) throw error;
    throw new TransientHubError(`${file.url}: connection broke`, null, error);
  } finally {
    clearTimeout(stall);
    await reader.cancel().catch(() => {});
    await output.close();
  }
}

/** Whether a file is there, with the size and the hash that the hub gives. */
async function isWhole(path: string, file: HubFile): Promise<boolean> {
  const size = await sizeOf(path);
  if (size < 0 || (file.size !== null && size !== file.size)) return false;
  if (file.etag === null) return file.size !== null;
  const hash = createHash(file.etag.length === 64 ? 'sha256' : 'sha1');
  // Git hashes a blob with its kind and size before it.
  if (file.etag.length === 40) hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Uint8Array);
  return hash.digest('hex') === file.etag;
}

/** -1 where it is not there. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => -1,
  );
}

async function firstOf(names: readonly string[], get: (name: string) => Promise<boolean>): Promise<string | null> {
  for (const name of names) if (await get(name)) return name;
  return null;
}

async function shardNames(folder: string, index: string): Promise<string[]> {
  const json: unknown = JSON.parse(await readFile(join(folder, index), 'utf8'));
  const map = typeof json === 'object' && json !== null && 'weight_map' in json ? json.weight_map : {};
  const names = new Set(Object.values(map ?? {}).map(String));
  const bad = [...names].find((name) => !/^[A-Za-z0-9][\w.-]*\.(safetensors|bin)$/.test(name));
  if (bad !== undefined) throw new ModelError('invalid_checkpoint', `${index} names "${bad}"`);
  return [...names].sort();
}
