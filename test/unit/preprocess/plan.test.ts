import { describe, expect, it } from 'vitest';
import type { ImageFormat, Orientation } from '../../../worker/imaging/image.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import {
  checkPlannedMemory,
  type PlannedImage,
  type PreprocessPlan,
  planPreprocess,
  startResampler,
} from '../../../worker/preprocess/plan.ts';

function stored(
  storedWidth: number,
  storedHeight: number,
  { format = 'jpeg', orientation = 1 }: { format?: ImageFormat; orientation?: Orientation } = {},
): PlannedImage {
  const [width, height] = orientation >= 5 ? [storedHeight, storedWidth] : [storedWidth, storedHeight];
  return { format, width, height, storedWidth, storedHeight, orientation, components: 3 };
}

const TO_100 = parseProcessorConfig({ size: 100, crop_size: 100 });

function fast(image: PlannedImage, config = TO_100): PreprocessPlan {
  return planPreprocess(image, config, { exact: false });
}

describe('the scaled decode', () => {
  it.each([
    [399, 1],
    [400, 2],
    [799, 2],
    [800, 4],
    [1599, 4],
    [1600, 8],
    [9000, 8],
  ])('of a %i px square JPEG to 100 px is by 1/%i: it leaves twice the target', (edge, denominator) => {
    expect(fast(stored(edge, edge)).scaleDenominator).toBe(denominator);
  });

  it('looks at the edge with less to spare, in the stored orientation', () => {
    const config = parseProcessorConfig({ size: { width: 100, height: 200 }, do_center_crop: false });
    expect(fast(stored(1600, 1600), config).scaleDenominator).toBe(4);
    expect(fast(stored(1600, 800), config).scaleDenominator).toBe(2);
    expect(fast(stored(1600, 800, { orientation: 6 }), config).scaleDenominator).toBe(4);
  });

  it('rounds the decoded size up', () => {
    expect(fast(stored(1601, 1607)).decoded).toEqual({ width: 201, height: 201 });
  });

  it('is never done where exact is asked for, for another format, without a resize, or for the nearest filter', () => {
    const image = stored(4000, 3000);
    expect(planPreprocess(image, TO_100, { exact: true }).scaleDenominator).toBe(1);
    expect(fast(stored(4000, 3000, { format: 'png' })).scaleDenominator).toBe(1);
    expect(fast(image, parseProcessorConfig({ do_resize: false, crop_size: 10 })).scaleDenominator).toBe(1);
    expect(fast(image, parseProcessorConfig({ size: 100, resample: 0 })).scaleDenominator).toBe(1);
  });
});

describe('planned memory', () => {
  /** The last number: no more than this many bytes. */
  const CASES: readonly (readonly [string, PlannedImage, unknown, number])[] = [
    ['shrinking', stored(4000, 3000), { size: 256, crop_size: 224 }, 300_000],
    ['shrinking a turned picture', stored(4000, 3000, { orientation: 6 }), { size: 256, crop_size: 224 }, 500_000],
    ['lanczos', stored(3000, 2000, { orientation: 8 }), { size: 64, resample: 1, do_center_crop: false }, 450_000],
    ['enlarging', stored(90, 60), { size: 448, crop_size: 448 }, 700_000],
    ['a turned strip', stored(20_000, 2, { orientation: 5 }), { size: [200, 200], do_center_crop: false }, 900_000],
    ['shrinking x, enlarging y', stored(3000, 20), { size: [300, 300], do_center_crop: false }, 400_000],
    ['nearest', stored(3000, 2000), { size: 100, resample: 0, do_center_crop: false }, 60_000],
    ['a crop alone', stored(3000, 2000, { orientation: 3 }), { do_resize: false, crop_size: 500 }, 800_000],
  ];

  it.each(CASES)('of %s covers what is allocated, and is small', (_, image, json, mostBytes) => {
    const plan = planPreprocess(image, parseProcessorConfig(json), { exact: true });
    const row = new Uint8Array(image.storedWidth * 3);
    const before = process.memoryUsage().arrayBuffers;
    const resampler = startResampler(plan);
    resampler.start(image.storedWidth, image.storedHeight);
    for (let y = 0; y < image.storedHeight; y++) resampler.rows(row, 0, y, 1);
    const result = resampler.finish();
    const allocated = process.memoryUsage().arrayBuffers - before;
    expect(result.length).toBe(plan.output.width * plan.output.height * 3);
    expect(allocated).toBeLessThanOrEqual(plan.resizeBytes);
    expect(plan.resizeBytes).toBeLessThan(mostBytes);
  });

  it('does not grow with the length of the picture beyond its tables', () => {
    const config = parseProcessorConfig({ size: [224, 224], do_center_crop: false });
    const short = planPreprocess(stored(4000, 1000), config, { exact: true }).resizeBytes;
    const long = planPreprocess(stored(4000, 30_000), config, { exact: true }).resizeBytes;
    expect(long - short).toBeLessThan(29_000 * 20);
  });

  it('is checked at the limit, before anything is allocated', () => {
    const plan = fast(stored(2000, 2000));
    expect(() => checkPlannedMemory(plan, 1000, plan.resizeBytes + 1000)).not.toThrow();
    expect(() => checkPlannedMemory(plan, 1000, plan.resizeBytes + 999)).toThrow(
      expect.objectContaining({
        code: 'image_memory_exceeded',
        details: { limit: 'maxMemoryBytes', value: plan.resizeBytes + 1000, maximum: plan.resizeBytes + 999 },
      }),
    );
    const huge = fast(stored(100, 100), parseProcessorConfig({ size: 1_000_000, do_center_crop: false }));
    expect(() => checkPlannedMemory(huge, 0, 2 ** 30)).toThrow('100x100 jpeg to 1000000x1000000 px');
  });
});

describe('refuses', () => {
  it('an edge that would round to nothing', () => {
    const config = parseProcessorConfig({ size: { shortest_edge: 10, longest_edge: 20 } });
    expect(() => fast(stored(10_000, 1), config)).toThrow(
      expect.objectContaining({ code: 'unsupported_image_feature', message: expect.stringContaining('10000x1') }),
    );
  });

  it('a picture that is not RGB where the processor does not convert', () => {
    const config = parseProcessorConfig({ do_convert_rgb: false });
    expect(() => fast({ ...stored(10, 10), components: 1 }, config)).toThrow('1 components a pixel');
    expect(() => fast(stored(10, 10), config)).not.toThrow();
  });

  it('rows of another size than the headers announced, and missing rows', () => {
    const plan = fast(stored(64, 48));
    expect(() => startResampler(plan).start(64, 47)).toThrow(expect.objectContaining({ code: 'corrupt_image' }));
    const resampler = startResampler(plan);
    resampler.start(64, 48);
    resampler.rows(new Uint8Array(64 * 3 * 47), 0, 0, 47);
    expect(() => resampler.finish()).toThrow('48 rows; 47 were decoded');
  });
});
