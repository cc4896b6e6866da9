import { describe, expect, it } from 'vitest';
import type { ImageInfo } from '../../../worker/imaging/image.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { normalize } from '../../../worker/preprocess/normalize.ts';
import { type PlannedImage, planPreprocess, startResampler } from '../../../worker/preprocess/plan.ts';
import { GOLDENS, picture, sha256 } from './goldens.ts';

const FILTERS = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

/** Stored picture of this size under this orientation. */
function stored(width: number, height: number, orientation: ImageInfo['orientation'] = 1): PlannedImage {
  const upright = orientation >= 5 ? { width: height, height: width } : { width, height };
  return { format: 'png', ...upright, storedWidth: width, storedHeight: height, orientation, components: 3 };
}

/** Pushes `data` in uneven portions, from the middle of a larger buffer, as a decoder would. */
function pushInPortions(
  sink: { rows(data: Uint8Array, offset: number, y: number, count: number): void },
  data: Uint8Array,
  width: number,
  height: number,
): void {
  const rowBytes = width * 3;
  for (let y = 0, portion = 1; y < height; portion = (portion * 7 + 3) % 41) {
    const count = Math.min(portion, height - y);
    const buffer = new Uint8Array(5 + count * rowBytes + 9).fill(0xa5);
    buffer.set(data.subarray(y * rowBytes, (y + count) * rowBytes), 5);
    sink.rows(buffer, 5, y, count);
    buffer.fill(0x5a);
    y += count;
  }
}

describe.each(FILTERS.map((name, resample) => ({ name, resample })))('$name', ({ resample }) => {
  it('gives the same bytes as Pillow, enlarging and shrinking', () => {
    const cases = GOLDENS.resize.filter((golden) => golden.resample === resample);
    expect(cases.length).toBeGreaterThan(50);
    for (const golden of cases) {
      const [width, height] = golden.target;
      const config = parseProcessorConfig({ size: { width, height }, resample, do_center_crop: false });
      const resampler = startResampler(planPreprocess(stored(golden.width, golden.height), config, { exact: true }));
      resampler.start(golden.width, golden.height);
      pushInPortions(resampler, picture(golden), golden.width, golden.height);
      expect(sha256(resampler.finish()), JSON.stringify(golden)).toBe(golden.sha256);
    }
  });
});

it('gives the same pixel_values as BitImageProcessorPil, for every option and orientation', () => {
  expect(GOLDENS.processor.length).toBeGreaterThan(200);
  for (const golden of GOLDENS.processor) {
    const run = (): { shape: number[]; sha256: string } => {
      const config = parseProcessorConfig(golden.config);
      const plan = planPreprocess(stored(golden.width, golden.height, golden.orientation), config, { exact: true });
      const resampler = startResampler(plan);
      resampler.start(golden.width, golden.height);
      pushInPortions(resampler, picture(golden), golden.width, golden.height);
      const { height, width } = plan.padded;
      const pixelValues = new Float32Array(3 * height * width);
      normalize(resampler.finish(), plan.output, config, pixelValues, 0, plan.padded);
      return { shape: [3, height, width], sha256: sha256(pixelValues) };
    };
    if (golden.error !== undefined) expect(run, JSON.stringify(golden)).toThrow();
    else expect(run(), JSON.stringify(golden)).toEqual({ shape: golden.shape, sha256: golden.sha256 });
  }
});

it('resizes a picture decoded at 1/n through the fractional box that Pillow would use', () => {
  expect(GOLDENS.scaled).toHaveLength(24);
  for (const golden of GOLDENS.scaled) {
    const config = parseProcessorConfig({ size: golden.shortest_edge, do_center_crop: false });
    const image = { ...stored(golden.width, golden.height, golden.orientation), format: 'jpeg' } as const;
    const plan = planPreprocess(image, config, { exact: false });
    expect(plan.scaleDenominator).toBe(golden.denominator);
    const { width, height } = plan.decoded;
    const resampler = startResampler(plan);
    resampler.start(width, height);
    pushInPortions(resampler, picture({ ...plan.decoded, seed: golden.seed }), width, height);
    expect([plan.output.height, plan.output.width, 3]).toEqual(golden.shape);
    expect(sha256(resampler.finish()), JSON.stringify(golden)).toBe(golden.sha256);
  }
});
