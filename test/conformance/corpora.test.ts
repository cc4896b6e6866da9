/**
 * Third-party images of every format, whole and damaged, through the decode entry point against what Pillow makes of
 * them. Skips where the corpora are not there. Exceptions are explained in docs/imaging.md.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sharedFolder } from '../../scripts/bench/shared-data.ts';
import { AppError } from '../../worker/errors.ts';
import { decodeImage, detectFormat, estimateDecodeBytes, readInfo } from '../../worker/imaging/decode.ts';
import type { ImageLimits } from '../../worker/imaging/limits.ts';
import { sha256 } from '../support/rgb-image.ts';

const CORPORA = join(sharedFolder(), 'corpora');
const PRESENT = existsSync(join(CORPORA, 'manifest.json'));

const LIMITS: ImageLimits = { maxBytes: 2 ** 31, maxPixels: 178_956_970, maxEdge: 2 ** 28, maxMemoryBytes: 2 ** 31 };

interface Expected {
  readonly sha256_rgb?: string;
  readonly size?: readonly [number, number];
  readonly stored_size?: readonly [number, number];
  readonly error?: string;
}

interface Manifest {
  readonly sets: Readonly<Record<string, { readonly files: Readonly<Record<string, Expected>> }>>;
}

const manifest: Manifest = PRESENT ? JSON.parse(readFileSync(join(CORPORA, 'manifest.json'), 'utf8')) : { sets: {} };

async function refusalOf(bytes: Uint8Array): Promise<string | undefined> {
  try {
    await decodeImage(bytes, {}, LIMITS);
  } catch (error) {
    // Anything but a typed error fails the test here.
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return undefined;
}

describe.skipIf(!PRESENT)(`corpora${PRESENT ? '' : ` (skipped: no ${CORPORA})`}`, () => {
  it.each(Object.keys(manifest.sets))(
    '%s: every file as Pillow has it',
    async (set) => {
      const differences: string[] = [];
      for (const [name, expected] of Object.entries(manifest.sets[set]!.files)) {
        const bytes = new Uint8Array(readFileSync(join(CORPORA, set, name)));
        const id = `${set}/${name}`;
        if (expected.sha256_rgb === undefined) {
          const code = await refusalOf(bytes);
          if (code === undefined) differences.push(`${id}: decoded, Pillow says ${expected.error}`);
          continue;
        }
        try {
          const image = await decodeImage(bytes, {}, LIMITS);
          const info = readInfo(bytes);
          const format = detectFormat(bytes);
          if (sha256(image) !== expected.sha256_rgb) differences.push(`${id}: other pixels`);
          expect([id, image.width, image.height]).toEqual([id, ...expected.size!]);
          expect([id, info.width, info.height]).toEqual([id, ...expected.size!]);
          expect([id, info.storedWidth, info.storedHeight]).toEqual([id, ...expected.stored_size!]);
          expect(info.format).toBe(format);
          expect(estimateDecodeBytes(bytes)).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          differences.push(`${id}: ${error.code}: ${error.message}`);
        }
      }
      expect(differences).toEqual([]);
    },
    120_000,
  );
});
