/** The valid and damaged pictures that fuzzing starts from: our fixtures, and the corpora where they are present. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ImageFormat } from '../../worker/imaging/image.ts';

/** Formats that are fuzzed. */
export const FUZZ_FORMATS: readonly ImageFormat[] = ['jpeg', 'png', 'webp', 'gif', 'bmp'];

/** Larger files make an input slow without reaching other code. */
const MAX_SEED_BYTES = 96 * 1024;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Where the shared corpora lie; the folder may be absent. */
export function sharedFolder(): string {
  return process.env.BIT_EDGE_SHARED ?? join(ROOT, '../shared');
}

function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** The format that the first bytes claim, if any. */
export function claimedFormat(bytes: Uint8Array): ImageFormat | null {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  if (head.startsWith('\xff\xd8')) return 'jpeg';
  if (head.startsWith('\x89PNG')) return 'png';
  if (head.startsWith('RIFF') && head.endsWith('WEBP')) return 'webp';
  if (head.startsWith('GIF8')) return 'gif';
  return head.startsWith('BM') ? 'bmp' : null;
}

/**
 * Every seed of a format, in a fixed order. `corpora` false takes the project's own fixtures alone, so that a run is the
 * same on every machine.
 */
export function loadSeeds(format: ImageFormat, corpora: boolean): readonly Uint8Array[] {
  const folders = [join(ROOT, 'test/fixtures/images'), join(ROOT, 'test/fixtures/fuzz')];
  if (corpora) folders.push(join(sharedFolder(), 'corpora'));
  return folders
    .flatMap(filesUnder)
    .filter((path) => statSync(path).size <= MAX_SEED_BYTES)
    .map((path) => new Uint8Array(readFileSync(path)))
    .filter((bytes) => claimedFormat(bytes) === format);
}
