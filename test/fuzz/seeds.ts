/** The valid and damaged pictures that fuzzing starts from: our fixtures, and the corpora where they are present. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sharedFolder } from '../../scripts/bench/shared-data.ts';
import type { ImageFormat } from '../../worker/imaging/image.ts';

/** Formats that are fuzzed. */
export const FUZZ_FORMATS: readonly ImageFormat[] = ['jpeg', 'png', 'webp', 'gif', 'bmp'];

/** Larger files make an input slow without reaching other code. */
const MAX_SEED_BYTES = 96 * 1024;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

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

function seedsUnder(folder: string, format: ImageFormat): readonly Uint8Array[] {
  return filesUnder(folder)
    .filter((path) => statSync(path).size <= MAX_SEED_BYTES)
    .map((path) => new Uint8Array(readFileSync(path)))
    .filter((bytes) => claimedFormat(bytes) === format);
}

/**
 * Every seed of a format, in a fixed order. `corpora` false takes the project's own fixtures alone, so that a run is the
 * same on every machine. With corpora the fixtures are repeated until they are half of all: most files of the corpora
 * are damaged already, and mutations of sound ones reach further.
 */
export function loadSeeds(format: ImageFormat, corpora: boolean): readonly Uint8Array[] {
  const own = [join(ROOT, 'test/fixtures/images'), join(ROOT, 'test/fixtures/fuzz')].flatMap((folder) =>
    seedsUnder(folder, format),
  );
  if (!corpora) return own;
  const others = seedsUnder(join(sharedFolder(), 'corpora'), format);
  const repeats = own.length === 0 ? 0 : Math.max(1, Math.round(others.length / own.length));
  return [...Array.from({ length: repeats }, () => own).flat(), ...others];
}
