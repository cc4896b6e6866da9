/** What follows from the weights alone about the values between the layers. */
import { expect, it } from 'vitest';
import { weightShapes } from '../../../../../model-store/bit-architecture.ts';
import { makeCheckpoint, type WeightTensor } from '../../../../../model-store/build/checkpoint/checkpoint.ts';
import { estimateCalibration } from '../../../../../model-store/build/quantize/estimate-calibration.ts';
import { parseBitConfig } from '../../../../../model-store/read-bit-config.ts';

const SIZE = { height: 32, width: 32 };
const HALVES = { rescaleFactor: 1 / 255, normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } };

/** A network of two layers whose norms have the weights and biases given, channel after channel. */
function network(
  weights: readonly number[],
  biases: readonly number[],
  options: Readonly<Record<string, unknown>> = {},
) {
  const config = parseBitConfig({ embedding_size: 8, hidden_sizes: [16], depths: [2], num_groups: 4, ...options });
  const tensors = new Map<string, WeightTensor>();
  for (const [name, shape] of weightShapes(config)) {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = name.includes('norm') ? (name.endsWith('.weight') ? weights : biases) : [0.5, -0.25, 1, 0.125, -1];
    tensors.set(name, { shape, data: Float32Array.from({ length: count }, (_, i) => values[i % values.length]!) });
  }
  return makeCheckpoint(config, tensors, 'test');
}

it('gives a rectified norm the moments of a rectified normal distribution, and six deviations of room', () => {
  const { sites, images } = estimateCalibration(network([1, -2, 0, 0.5], [0, 1, 3, -4]), SIZE, HALVES);
  expect(images).toBe(0);
  const site = sites['s0.0.norm2.activation']!;
  // E[max(0, b + w z)] = b P(b / |w|) + |w| p(b / |w|), with the normal distribution P and its density p.
  expect(site.channel_mean[0]).toBeCloseTo(1 / Math.sqrt(2 * Math.PI), 3);
  expect(site.channel_mean[1]).toBeCloseTo(0.6914625 + 2 * 0.3520653, 3);
  expect(site.channel_mean.slice(2, 4)).toEqual([3, expect.closeTo(0, 6)]);
  expect(site.channel_power[0]).toBeCloseTo(0.5, 4);
  expect(site.channel_power[2]).toBeCloseTo(9, 6);
  // The channel of weight -2 and bias 1 reaches furthest: 1 + 6 * 2.
  expect(site).toMatchObject({ min: 0, max: 13 });
});

it('knows the range of pixels exactly', () => {
  const checkpoint = network([1], [0]);
  expect(estimateCalibration(checkpoint, SIZE, HALVES).sites.pixel_values).toMatchObject({ min: -1, max: 1 });
  const uneven = { rescaleFactor: 1 / 255, normalize: { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] } };
  const { min, max } = estimateCalibration(checkpoint, SIZE, uneven).sites.pixel_values!;
  expect([min, max]).toEqual([expect.closeTo(-2, 9), expect.closeTo(3, 9)]);
  const bare = estimateCalibration(checkpoint, SIZE, { rescaleFactor: null, normalize: null });
  expect(bare.sites.pixel_values).toMatchObject({ min: 0, max: 255 });
});

it.each([
  ['gelu', -0.16997],
  ['silu', -0.27846],
])('reaches below zero as far as %s does', (hiddenAct, least) => {
  const { sites } = estimateCalibration(network([1], [0], { hidden_act: hiddenAct }), SIZE, HALVES);
  expect(sites['s0.0.norm1.activation']!.min).toBeCloseTo(least, 4);
  expect(sites['s0.0.norm1.activation']!.max).toBeCloseTo(6, 6);
});

it('adds variances where a bottleneck network adds two norms', () => {
  const { sites } = estimateCalibration(network([3], [1], { layer_type: 'bottleneck' }), SIZE, HALVES);
  // Two norms of mean 1 and deviation 3, then the ReLU: mean 2, deviation sqrt(18).
  expect(sites['s0.0.activation']!.max).toBeCloseTo(2 + 6 * Math.sqrt(18), 2);
});
