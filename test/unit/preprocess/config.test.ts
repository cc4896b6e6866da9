import { describe, expect, it } from 'vitest';
import { ModelError } from '../../../worker/errors.ts';
import { parseProcessorConfig } from '../../../worker/preprocess/config.ts';

/** The field that the error names. */
function refusedField(json: unknown): unknown {
  try {
    parseProcessorConfig(json);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    expect(error.code).toBe('invalid_model_config');
    expect(error.message).toContain(String(error.details.field));
    return error.details.field;
  }
  return 'accepted';
}

it('takes the class defaults of BitImageProcessor for an empty document', () => {
  expect(parseProcessorConfig({})).toEqual({
    doConvertRgb: true,
    resize: { target: { kind: 'shortest_edge', shortestEdge: 224 }, resample: 3 },
    centerCrop: { height: 224, width: 224 },
    rescaleFactor: 1 / 255,
    normalize: {
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
    },
    pad: null,
  });
});

it.each([
  [{ size: 96 }, { kind: 'shortest_edge', shortestEdge: 96 }],
  [
    { size: 96, default_to_square: true },
    { kind: 'exact', height: 96, width: 96 },
  ],
  [{ size: [96, 128] }, { kind: 'exact', height: 96, width: 128 }],
  [{ size: { width: 128, height: 96 } }, { kind: 'exact', height: 96, width: 128 }],
  [{ size: { shortest_edge: 96, longest_edge: null } }, { kind: 'shortest_edge', shortestEdge: 96 }],
  [{ size: { shortest_edge: 96, longest_edge: 200 } }, { kind: 'edges', shortestEdge: 96, longestEdge: 200 }],
  [{ size: { max_height: 96, max_width: 128 } }, { kind: 'within', maxHeight: 96, maxWidth: 128 }],
])('reads the size of %j', (json, target) => {
  expect(parseProcessorConfig(json).resize?.target).toEqual(target);
});

it('switches a step off by false and by null, and does not check what it would have used', () => {
  const off = { do_resize: false, do_center_crop: null, do_rescale: false, do_normalize: null };
  const config = parseProcessorConfig({
    ...off,
    size: { longest_edge: 1 },
    resample: 'x',
    image_mean: [1],
    crop_size: -1,
  });
  expect(config).toMatchObject({ resize: null, centerCrop: null, rescaleFactor: null, normalize: null });
});

it('spreads a scalar mean and std over the channels, and a scalar crop over both edges', () => {
  const config = parseProcessorConfig({ image_mean: 0.5, image_std: 0.25, crop_size: 8 });
  expect(config.normalize).toEqual({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
  expect(config.centerCrop).toEqual({ height: 8, width: 8 });
});

it('ignores unknown fields and reads the processor nested in processor_config.json', () => {
  const nested = {
    processor_class: 'X',
    image_processor: { crop_size: 12, image_processor_type: 'BitImageProcessor' },
  };
  expect(parseProcessorConfig(nested).centerCrop).toEqual({ height: 12, width: 12 });
});

describe('refuses, naming the field:', () => {
  it.each([
    ['the document', null],
    ['the document', [1]],
    ['do_resize', { do_resize: 'yes' }],
    ['do_pad', { do_pad: 1 }],
    ['resample', { resample: 6 }],
    ['resample', { resample: 2.5 }],
    ['resample', { resample: null }],
    ['size', { size: null }],
    ['size', { size: '224' }],
    ['size', { size: [224] }],
    ['size', { size: { longest_edge: 224 } }],
    ['size', { size: { min_pixels: 1, max_pixels: 2 } }],
    ['size', { size: { height: 224 } }],
    ['size', { size: { shortest_edge: 224, width: 1 } }],
    ['size.shortest_edge', { size: 0 }],
    ['size.shortest_edge', { size: { shortest_edge: 1.5 } }],
    ['size.longest_edge', { size: { shortest_edge: 8, longest_edge: -1 } }],
    ['size.width', { size: { height: 1, width: null } }],
    ['size.max_width', { size: { max_height: 1, max_width: '2' } }],
    ['crop_size', { crop_size: { shortest_edge: 224 } }],
    ['crop_size', { crop_size: null }],
    ['crop_size.height', { crop_size: -3 }],
    ['rescale_factor', { rescale_factor: null }],
    ['image_mean', { image_mean: [0.5] }],
    ['image_mean', { image_mean: [0.5, 0.5, 'x'] }],
    ['image_std', { image_std: [0.5, 0, 0.5] }],
    ['image_std', { image_std: null }],
    ['pad_size', { do_pad: true }],
  ])('%s of %j', (field, json) => {
    expect(refusedField(json)).toBe(field);
  });
});
