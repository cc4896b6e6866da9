/** The default model's version folder, built when it is not there or older than what it is built from. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ModelError } from '../../worker/errors.ts';
import { type BuiltVersion, buildDefaultModel } from './build-default-model.ts';
import { newestChange } from './files/newest-change.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUT = join(ROOT, 'dist/models');
const STAMP = join(OUT, 'default.json');

/** What the artifact is made from: weights, calibration, and the code that builds it. */
const SOURCES = ['model-store', 'scripts/cli/build-default-model.ts'];

interface Stamp extends BuiltVersion {
  /** Newest modification of a source, in ms since 1970. */
  readonly sourcesChangedAt: number;
}

/**
 * The folder of the default model's version.
 * @throws ModelError where the files that it is built from are missing or broken.
 */
export async function ensureDefaultModel(): Promise<BuiltVersion> {
  const sourcesChangedAt = await newestChange(SOURCES);
  const stamp = await readStamp();
  if (stamp !== null && stamp.sourcesChangedAt === sourcesChangedAt) return stamp;
  const built = await buildDefaultModel(OUT).catch(explainMissing);
  await mkdir(OUT, { recursive: true });
  await writeFile(STAMP, JSON.stringify({ ...built, sourcesChangedAt } satisfies Stamp));
  return built;
}

/** @throws ModelError naming the file, where one of the default model's is missing; else what was thrown. */
function explainMissing(error: unknown): never {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT' && 'path' in error)) throw error;
  const file = relative(ROOT, String(error.path));
  throw new ModelError(
    'invalid_checkpoint',
    `${file} is missing; get it back with: git checkout -- model-store/models`,
  );
}

async function readStamp(): Promise<Stamp | null> {
  try {
    const stamp = JSON.parse(await readFile(STAMP, 'utf8')) as Stamp;
    await stat(join(stamp.directory, 'manifest.json'));
    return stamp;
  } catch {
    // No stamp, half a stamp, or its folder is gone: build again.
    return null;
  }
}
