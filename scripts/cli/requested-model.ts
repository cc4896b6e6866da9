/**
 * The model that `npm start -- --model` asks for, imported: from a folder, a file, or a repository on the hub. What was imported
 * before is used again as long as its source, the options and the importer are the same.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { FetchError } from '../../worker/errors.ts';
import { newestChange } from './files/newest-change.ts';
import { importCheckpoint } from './import/import-checkpoint.ts';
import { cacheRoot, hubAccess } from './sources/cache.ts';
import { describeHubFile } from './sources/hub-client.ts';
import { HUB_ID } from './sources/hub-download.ts';

/** Code whose change makes another version of the same checkpoint. */
const IMPORTER_SOURCES = ['model-store', 'scripts/cli/import'];

/** A full commit: it never means anything else later. */
const COMMIT = /^[0-9a-f]{40}$/;

/** What is asked for. */
export interface ModelRequest {
  /** A folder, a file, or the name of a repository on the hub. */
  readonly source: string;
  /** Of a repository; null for `main`. */
  readonly revision: string | null;
  /** Shorter edge of the network's input in px; null for the checkpoint's own. */
  readonly sizePx: number | null;
  /** A folder of pictures to calibrate with; null for none. */
  readonly calibrate: string | null;
}

/** An imported version on disk. */
export interface RequestedModel {
  readonly name: string;
  readonly version: string;
  /** The folder that holds manifest.json and the files it names. */
  readonly directory: string;
  /** False if it had been imported before. */
  readonly imported: boolean;
}

interface Stamp {
  /** What the source was: a commit, or files with their sizes and times. */
  readonly identity: string;
  readonly importerChangedAt: number;
  readonly name: string;
  readonly version: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Splits `google/bit-50@refs/pr/1`; a path that exists is taken as it is.
 * @returns the source, and its revision or null.
 */
export async function parseModelSource(text: string): Promise<Pick<ModelRequest, 'source' | 'revision'>> {
  const at = text.indexOf('@');
  if (at < 0 || (await exists(text))) return { source: text, revision: null };
  return { source: text.slice(0, at), revision: text.slice(at + 1) || null };
}

/**
 * Imports what is asked for, unless that was done before.
 * @param env see `openSource`.
 * @param say told what a user should know: that the hub was not asked.
 * @throws AppError as `importCheckpoint`.
 */
export async function ensureRequestedModel(
  request: ModelRequest,
  env: Environment,
  say: (note: string) => void,
): Promise<RequestedModel> {
  const folder = join(cacheRoot(env), 'imports', requestKey(request));
  const directory = join(folder, 'version');
  const stampPath = join(folder, 'stamp.json');
  const stamp = await readStamp(stampPath, directory);
  const importerChangedAt = await newestChange(IMPORTER_SOURCES);
  const known = stamp?.importerChangedAt === importerChangedAt ? stamp : null;
  const identity = await identify(request, env, known, say);
  if (known !== null && known.identity === identity) {
    return { name: known.name, version: known.version, directory, imported: false };
  }
  await mkdir(folder, { recursive: true });
  await rm(stampPath, { force: true });
  const revision = COMMIT.test(identity) ? identity : request.revision;
  const { manifest } = await importCheckpoint(
    {
      source: request.source,
      revision,
      out: directory,
      variants: 'edge',
      outputs: null,
      calibrate: request.calibrate,
      evaluate: null,
      labels: null,
      preprocessor: null,
      size: request.sizePx,
      name: null,
      version: null,
    },
    new Date().toISOString(),
    env,
  );
  const { name, version } = manifest;
  await writeFile(stampPath, JSON.stringify({ identity, importerChangedAt, name, version } satisfies Stamp));
  return { name, version, directory, imported: true };
}

/** What the source is now. If the hub does not answer, it is what it was. */
async function identify(
  { source, revision }: ModelRequest,
  env: Environment,
  known: Stamp | null,
  say: (note: string) => void,
): Promise<string> {
  if (await exists(source)) return describeFiles(source);
  // What is no repository's name is refused by the import, which knows why.
  if (!HUB_ID.test(source)) return source;
  if (revision !== null && COMMIT.test(revision)) return revision;
  try {
    const config = await describeHubFile(hubAccess(env), source, revision ?? 'main', 'config.json');
    return config?.commit ?? revision ?? 'main';
  } catch (error) {
    if (known === null || !(error instanceof FetchError) || error.code !== 'fetch_failed') throw error;
    say(`the hub does not answer (${error.message}); using what was imported before: ${known.identity}`);
    return known.identity;
  }
}

/** Names, sizes and times of the files that a checkpoint on disk may consist of. */
async function describeFiles(source: string): Promise<string> {
  const path = resolve(source);
  const folder = (await stat(path)).isDirectory() ? path : dirname(path);
  const lines: string[] = [folder === path ? '' : basename(path)];
  for (const entry of (await readdir(folder, { withFileTypes: true })).filter((each) => !each.isDirectory())) {
    const { size, mtimeMs } = await stat(join(folder, entry.name));
    lines.push(`${entry.name} ${size} ${mtimeMs}`);
  }
  return sha256(lines.toSorted().join('\n'));
}

function requestKey({ source, revision, sizePx, calibrate }: ModelRequest): string {
  const request = [HUB_ID.test(source) ? source : resolve(source), revision, sizePx, calibrate && resolve(calibrate)];
  return sha256(JSON.stringify(request)).slice(0, 16);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function readStamp(path: string, directory: string): Promise<Stamp | null> {
  try {
    const stamp = JSON.parse(await readFile(path, 'utf8')) as Stamp;
    await stat(join(directory, 'manifest.json'));
    return stamp;
  } catch {
    // No stamp, half a stamp, or its folder is gone: import again.
    return null;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
