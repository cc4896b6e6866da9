/** Files of every kind, whole and damaged, at every scale, against Pillow (scripts/goldens/jpeg.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../../worker/errors.ts';
import type { DecodeOptions, ScaleDenominator } from '../../../../worker/imaging/image.ts';
import { decodeJpeg } from '../../../../worker/imaging/jpeg/decoder.ts';
import { CollectingSink, sha256 } from '../../../support/rgb-image.ts';

const FOLDER = new URL('../../../fixtures/jpeg/', import.meta.url);

/** By draft scale, and `allowTruncated`: the pixels' hash, or `error: ...`. */
type Expected = Readonly<Record<string, string>>;

const golden: { readonly files: Readonly<Record<string, Expected>> } = JSON.parse(
  readFileSync(new URL('expected.json', FOLDER), 'utf8'),
);

const cases = Object.entries(golden.files).flatMap(([name, expected]) =>
  Object.entries(expected).map(([how, result]) => ({ name, how, result })),
);

function decode(name: string, options: DecodeOptions): string {
  const sink = new CollectingSink();
  decodeJpeg(readFileSync(new URL(name, FOLDER)), sink, options);
  return sha256(sink.image());
}

describe('JPEG goldens', () => {
  it('are all there', () => {
    expect(cases.length).toBeGreaterThan(480);
    expect(cases.filter(({ result }) => result.startsWith('error')).length).toBeGreaterThan(50);
  });

  it.each(cases)('$name, $how', ({ name, how, result }) => {
    const options: DecodeOptions =
      how === 'allowTruncated' ? { allowTruncated: true } : { scaleDenominator: Number(how) as ScaleDenominator };
    if (result.startsWith('error')) expect(() => decode(name, options)).toThrow(ImageError);
    else expect(decode(name, options)).toBe(result);
  });
});
