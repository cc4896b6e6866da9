/** Small WebP files against Pillow and libwebp; `scripts/goldens/webp.py` made them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../../worker/errors.ts';
import { decodeWebp, readWebpInfo } from '../../../../worker/imaging/webp/decoder.ts';
import { CollectingSink, sha256, upright } from '../../../support/rgb-image.ts';

interface Case {
  readonly name: string;
  /** Base64. */
  readonly file: string;
  readonly refused?: true;
  readonly size: readonly [number, number];
  readonly stored: readonly [number, number];
  readonly frames: number;
  readonly components: number;
  readonly sha256: string;
}

interface TruncatedCase {
  readonly name: string;
  readonly file: string;
  readonly points: readonly { readonly bytes: number; readonly sha256: string }[];
}

const goldens: Record<'encoded' | 'containers' | 'random' | 'damaged', readonly Case[]> & {
  readonly truncated: readonly TruncatedCase[];
} = JSON.parse(readFileSync(new URL('../../../fixtures/webp/goldens.json', import.meta.url), 'utf8'));

function bytesOf(file: string): Uint8Array {
  return new Uint8Array(Buffer.from(file, 'base64'));
}

function decode(bytes: Uint8Array, allowTruncated: boolean): CollectingSink {
  const sink = new CollectingSink();
  decodeWebp(bytes, sink, { allowTruncated });
  return sink;
}

describe.each(['encoded', 'containers', 'random', 'damaged'] as const)('WebP goldens: %s', (group) => {
  it.each(goldens[group])('$name', (golden) => {
    const bytes = bytesOf(golden.file);
    if (golden.refused) {
      expect(() => decode(bytes, false)).toThrow(ImageError);
      return;
    }
    const info = readWebpInfo(bytes);
    expect(info).toMatchObject({
      format: 'webp',
      width: golden.size[0],
      height: golden.size[1],
      storedWidth: golden.stored[0],
      storedHeight: golden.stored[1],
      frames: golden.frames,
      components: golden.components,
    });
    expect(sha256(upright(decode(bytes, false).image(), info.orientation))).toBe(golden.sha256);
  });
});

describe('WebP goldens: truncated', () => {
  const points = goldens.truncated.flatMap(({ name, file, points }) =>
    points.map((point) => ({ name, file, ...point })),
  );
  it.each(points)('$name, first $bytes bytes: what libwebp has by then, the rest black', (point) => {
    const sink = decode(bytesOf(point.file).subarray(0, point.bytes), true);
    expect(sha256(sink.image())).toBe(point.sha256);
  });

  it.each(points)('$name, first $bytes bytes: refused by default, with the numbers', ({ file, bytes }) => {
    const whole = bytesOf(file);
    let thrown: unknown;
    try {
      decode(whole.subarray(0, bytes), false);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ImageError);
    expect(thrown).toMatchObject({
      code: 'truncated_image',
      details: { format: 'webp', presentBytes: bytes, declaredBytes: whole.length },
    });
  });
});
