import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ImageError, type ImageErrorCode } from '../../../../worker/errors.ts';
import { decodeJpeg, estimateJpegBytes, readJpegInfo } from '../../../../worker/imaging/jpeg/decoder.ts';
import { MAX_SCANS } from '../../../../worker/imaging/jpeg/scan-plan.ts';
import { CollectingSink } from '../../../support/rgb-image.ts';

const FOLDER = new URL('../../../fixtures/jpeg/', import.meta.url);

function read(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}.jpg`, FOLDER)));
}

function refusal(bytes: Uint8Array): ImageError {
  try {
    decodeJpeg(bytes, new CollectingSink(), {});
  } catch (error) {
    if (error instanceof ImageError) return error;
    throw error;
  }
  throw new Error('it was decoded');
}

/** Puts `insert` in front of the last two bytes, the end-of-image marker. */
function beforeEnd(bytes: Uint8Array, insert: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + insert.length);
  out.set(bytes.subarray(0, -2));
  out.set(insert, bytes.length - 2);
  out.set(bytes.subarray(-2), out.length - 2);
  return out;
}

describe('JPEG features that are not decoded', () => {
  it.each([
    ['refused-lossless', /lossless coding/],
    ['refused-hierarchical', /hierarchical coding/],
    ['refused-12-bit', /12-bit samples/],
    ['refused-fractional-sampling', /sampling ratio of 1\.5:/],
  ])('%s is named in the error', (name, feature) => {
    const error = refusal(read(name));
    expect(error.code).toBe('unsupported_image_feature');
    expect(error.message).toMatch(feature);
  });

  it.each(['refused-lossless', 'refused-hierarchical', 'refused-12-bit'])(
    '%s is refused from its headers alone',
    (name) => {
      expect(() => readJpegInfo(read(name))).toThrow(refusal(read(name)).message);
    },
  );
});

describe('JPEG files that are not whole', () => {
  it('name the bytes and MCUs that were there', () => {
    const bytes = read('truncated');
    const error = refusal(bytes);
    expect(error.code).toBe('truncated_image');
    expect(error.details.bytes).toBe(bytes.length);
    expect(error.details.expectedMcus).toBe(9);
    expect(error.details.mcus).toBeGreaterThan(2);
    expect(error.details.mcus).toBeLessThan(9);
    expect(error.message).toContain(`${error.details.mcus} of 9 MCUs`);
  });

  it('name the scan in which a progressive file ends, before any row is pushed', () => {
    const bytes = read('truncated-progressive');
    const sink = new CollectingSink();
    expect(() => decodeJpeg(bytes, sink, {})).toThrow(/in or after scan \d+/);
    expect(sink.nextRow).toBe(0);
  });

  it('come out whole where that is allowed, with what was there on top', () => {
    const [whole, cut] = [new CollectingSink(), new CollectingSink()];
    decodeJpeg(read('sampling-2x2'), whole, {});
    decodeJpeg(read('truncated'), cut, { allowTruncated: true });
    const rowBytes = whole.width * 3;
    expect(cut.image().data.subarray(0, 8 * rowBytes)).toEqual(whole.image().data.subarray(0, 8 * rowBytes));
    expect(cut.data.subarray(-3)).not.toEqual(whole.data.subarray(-3));
  });

  it('show the scans that were there where a progressive file ends between two', () => {
    const bytes = read('smoothing-2x2-4-scans');
    const [ended, cut] = [new CollectingSink(), new CollectingSink()];
    decodeJpeg(bytes, ended, {});
    decodeJpeg(bytes.subarray(0, -2), cut, { allowTruncated: true });
    expect(cut.image()).toEqual(ended.image());
  });

  it.each([0, 1, 2, 3, 20, 200, 600])('are refused when cut to %d bytes, whatever is asked for', (length) => {
    const bytes = read('sampling-2x2').subarray(0, length);
    expect(['truncated_image', 'corrupt_image']).toContain(refusal(bytes).code);
    expect(() => readJpegInfo(bytes)).toThrow(ImageError);
    expect(() => estimateJpegBytes(bytes, { allowTruncated: true })).toThrow(ImageError);
  });
});

describe('JPEG files that make no sense', () => {
  it.each<[string, ImageErrorCode, RegExp]>([
    ['refused-empty', 'corrupt_image', /empty: 45x0/],
    ['refused-no-quant-table', 'corrupt_image', /quantization table that is not defined/],
    ['refused-no-huffman-table', 'corrupt_image', /Huffman table that is not defined/],
    ['refused-sampling-0', 'corrupt_image', /sampling factors are 2x0/],
    ['refused-two-frames', 'corrupt_image', /two frame headers/],
    ['refused-header-cut', 'truncated_image', /300 bytes|of 300/],
  ])('%s: %s', (name, code, message) => {
    const error = refusal(read(name));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('are refused even where the fault comes behind the last row', () => {
    const bytes = read('sampling-2x2');
    expect(refusal(beforeEnd(bytes, Uint8Array.of(0xff, 0xd8))).message).toMatch(/second start-of-image/);
    expect(refusal(beforeEnd(bytes, Uint8Array.of(0xff, 0xf7))).message).toMatch(/unsupported marker ff f7/);
    expect(() => decodeJpeg(beforeEnd(bytes, Uint8Array.of(0xff, 0xd1)), new CollectingSink(), {})).not.toThrow();
  });
});

describe('JPEG files with many scans', () => {
  const bytes = read('smoothing-1x1-1-scans');
  // A refinement of all AC coefficients of one component, with no data: it changes nothing.
  const emptyScan = [0xff, 0xda, 0, 8, 1, 1, 0x00, 1, 5, 0x02, 0xff, 0xc4, 0, 20, 0x10, 1, ...new Array(15).fill(0), 0];

  function withScans(count: number): Uint8Array {
    const table = emptyScan.slice(10);
    const scan = emptyScan.slice(0, 10);
    return beforeEnd(bytes, Uint8Array.from([...table, ...new Array(count).fill(scan).flat()]));
  }

  it(`are decoded up to ${MAX_SCANS} scans`, () => {
    const sink = new CollectingSink();
    decodeJpeg(withScans(MAX_SCANS - 1), sink, {});
    expect(sink.image().width).toBe(70);
  });

  it('are refused from there on, before anything is decoded', () => {
    const error = refusal(withScans(MAX_SCANS));
    expect(error.code).toBe('image_too_large');
    expect(error.details).toMatchObject({ scans: MAX_SCANS + 1, maxScans: MAX_SCANS });
    expect(() => estimateJpegBytes(withScans(MAX_SCANS), {})).toThrow(error.message);
  });
});
