/**
 * Third-party JPEG files, whole and damaged, against what Pillow makes of them. Skips where the corpora are not there.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../worker/errors.ts';
import { decodeJpeg, readJpegInfo } from '../../worker/imaging/jpeg/decoder.ts';
import { CollectingSink, sha256, upright } from '../shared/rgb-image.ts';

const SHARED = process.env.BIT_EDGE_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));
const CORPORA = join(SHARED, 'corpora');
const PRESENT = existsSync(join(CORPORA, 'manifest.json'));

/** Files that Pillow decodes and this decoder refuses, with the error it gives instead. */
const REFUSED: Readonly<Record<string, string>> = {
  'mozjpeg/mozjpeg__testimgari.jpg': 'unsupported_image_feature',
};

interface Expected {
  readonly sha256_rgb?: string;
  readonly error?: string;
}

interface Manifest {
  readonly sets: Readonly<Record<string, { readonly files: Readonly<Record<string, Expected>> }>>;
}

function jpegFiles(): { name: string; bytes: Uint8Array; expected: Expected }[] {
  if (!PRESENT) return [];
  const manifest: Manifest = JSON.parse(readFileSync(join(CORPORA, 'manifest.json'), 'utf8'));
  return Object.entries(manifest.sets).flatMap(([set, { files }]) =>
    Object.entries(files)
      .map(([file, expected]) => ({
        name: `${set}/${file}`,
        bytes: readFileSync(join(CORPORA, set, file)),
        expected,
      }))
      .filter(({ bytes }) => bytes[0] === 0xff && bytes[1] === 0xd8),
  );
}

/** The hash of the upright pixels, or the code of the error. */
function outcome(bytes: Uint8Array): string {
  try {
    const sink = new CollectingSink();
    decodeJpeg(bytes, sink, {});
    return sha256(upright(sink.image(), readJpegInfo(bytes).orientation));
  } catch (error) {
    if (error instanceof ImageError) return error.code;
    throw error;
  }
}

const files = jpegFiles();

describe.skipIf(!PRESENT)(`JPEG corpora (${PRESENT ? `${files.length} files` : `skipped: no ${CORPORA}`})`, () => {
  it('hold the files that this test was written for', () => {
    expect(files.length).toBeGreaterThan(200);
  });

  it.each(files)('$name', ({ name, bytes, expected }) => {
    const got = outcome(bytes);
    const refused = REFUSED[name];
    if (refused !== undefined) expect(got).toBe(refused);
    else if (expected.sha256_rgb !== undefined) expect(got).toBe(expected.sha256_rgb);
    else expect(['corrupt_image', 'truncated_image', 'unsupported_image_feature']).toContain(got);
  });
});
