/**
 * A calibration without images. In BiT every convolution but the stem reads a group norm's output behind an activation, and
 * group norm makes mean and variance of what leaves it known: a channel with weight w and bias b is b + w z, where z has
 * mean 0 and variance 1 over its group. Pure arithmetic.
 */
import type { HiddenAct } from '../../bit-config.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import {
  type Classifier,
  type Convolution,
  emitNetwork,
  type FeatureMap,
  type GroupNorm,
  type LayerEmitter,
  type StemPool,
} from '../graph/network.ts';
import type { Normalization } from '../graph/normalization.ts';
import type { SpatialSize } from '../graph/padding.ts';
import { quantizationOf } from './activation-range.ts';
import type { Calibration, CalibrationSite } from './calibration.ts';

/**
 * How many deviations from a channel's mean still have a place on the 8-bit grid. Activations have heavier tails than the
 * normal distribution, and the pooled features of a trained network differ from image to image as much as positions do:
 * 5 to 7 are alike on the default model, 4.5 and, of the pooled features, 3 cut off too much (docs/quantization.md).
 */
export const DEFAULT_TAIL_DEVIATIONS = 6;

/** Points of a normal distribution at which an activation is averaged, over +-8 deviations. */
const POINTS = 257;
const REACH = 8;

/** A channel's values: normal, then perhaps activated. */
interface Distribution {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
  readonly activation: HiddenAct | null;
}

/** A feature map that is not there, but whose values are known by their distribution; null where nothing is known. */
interface KnownMap extends FeatureMap {
  readonly site: string;
  readonly distribution: Distribution | null;
  /** The pixels' own range, of the image alone. */
  readonly range: { readonly min: number; readonly max: number } | null;
  readonly isPooled: boolean;
}

/**
 * What calibration would learn from images, from the checkpoint alone.
 * @param processor how pixels are normalised: the range of the network's input.
 * @param tailDeviations see `DEFAULT_TAIL_DEVIATIONS`.
 * @throws ModelError as `emitNetwork`.
 */
export function estimateCalibration(
  checkpoint: Checkpoint,
  size: SpatialSize,
  processor: Normalization,
  tailDeviations = DEFAULT_TAIL_DEVIATIONS,
): Calibration {
  const emitter = new DistributionEmitter(tailDeviations);
  const { numChannels: channels } = checkpoint.config;
  const range = pixelRange(processor);
  const image = { channels, size, site: 'pixel_values', distribution: null, range, isPooled: false };
  emitNetwork(checkpoint, emitter, image);
  return { schema_version: 1, images: 0, sites: emitter.sites };
}

/** Follows distributions through the network, and notes those of what becomes 8 bits. */
class DistributionEmitter implements LayerEmitter<KnownMap> {
  readonly sites: Record<string, CalibrationSite> = {};
  readonly #tailDeviations: number;

  constructor(tailDeviations: number) {
    this.#tailDeviations = tailDeviations;
  }

  convolution(input: KnownMap, { name, kernel, outputSize }: Convolution): KnownMap {
    this.#note(input);
    return { ...unknown(input, name), channels: kernel.shape[0]!, size: outputSize };
  }

  groupNorm(input: KnownMap, { name, weight, bias, activation }: GroupNorm): KnownMap {
    const site = activation === null ? name : `${name}.activation`;
    const distribution = {
      mean: Float64Array.from(bias),
      deviation: Float64Array.from(weight, (value) => Math.abs(value)),
      activation,
    };
    return { ...input, site, distribution, range: null };
  }

  activation(input: KnownMap, name: string, activation: HiddenAct): KnownMap {
    return { ...input, site: name, distribution: input.distribution && { ...input.distribution, activation } };
  }

  /** Sums are taken for independent: their variances add up. */
  add(input: KnownMap, shortcut: KnownMap, name: string): KnownMap {
    const [a, b] = [input.distribution, shortcut.distribution];
    if (a === null || b === null) return unknown(input, name);
    const [left, right] = [activatedMoments(a), activatedMoments(b)];
    const mean = left.mean.map((value, channel) => value + right.mean[channel]!);
    const deviation = left.mean.map((_, channel) => {
      return Math.sqrt(variance(left, channel) + variance(right, channel));
    });
    return { ...input, site: name, distribution: { mean, deviation, activation: null } };
  }

  border(input: KnownMap, name: string): KnownMap {
    return { ...input, site: name };
  }

  stemPool(input: KnownMap, { name }: StemPool): KnownMap {
    return { ...input, site: name, size: null };
  }

  globalPool(input: KnownMap, name: string): KnownMap {
    return { ...input, site: name, size: { height: 1, width: 1 }, isPooled: true };
  }

  classifier(pooled: KnownMap, { name }: Classifier): KnownMap {
    this.#note(pooled);
    return unknown(pooled, name);
  }

  #note(input: KnownMap): void {
    this.sites[input.site] ??= this.#siteOf(input);
  }

  #siteOf({ site, channels, distribution, range, isPooled }: KnownMap): CalibrationSite {
    if (range !== null) return imageSite(range, channels);
    if (distribution === null) throw new TypeError(`nothing is known of the distribution of "${site}"`);
    const { mean, power } = activatedMoments(distribution);
    if (isPooled) {
      const max = largest(mean, (value, channel) => {
        return value + this.#tailDeviations * Math.sqrt(Math.max(0, power[channel]! - value * value));
      });
      return toSite(0, max, mean, power);
    }
    const { mean: centre, deviation, activation } = distribution;
    const ends = [1, -1].map((sign) =>
      largest(centre, (value, channel) => sign * value + this.#tailDeviations * deviation[channel]!),
    );
    const [max, negative] = [ends[0]!, ends[1]!];
    return toSite(lowestActivated(-negative, activation), Math.max(0, max), mean, power);
  }
}

function unknown(input: KnownMap, site: string): KnownMap {
  return { ...input, site, distribution: null, range: null };
}

interface Moments {
  readonly mean: Float64Array;
  readonly power: Float64Array;
}

/** Mean and mean square of each channel behind the activation. */
function activatedMoments({ mean, deviation, activation }: Distribution): Moments {
  const outMean = new Float64Array(mean.length);
  const outPower = new Float64Array(mean.length);
  for (let channel = 0; channel < mean.length; channel++) {
    for (let point = 0; point < POINTS; point++) {
      const z = ((2 * point) / (POINTS - 1) - 1) * REACH;
      const value = activate(mean[channel]! + deviation[channel]! * z, activation);
      outMean[channel]! += NORMAL_WEIGHTS[point]! * value;
      outPower[channel]! += NORMAL_WEIGHTS[point]! * value * value;
    }
  }
  return { mean: outMean, power: outPower };
}

/** The normal distribution at the points, adding up to 1. */
const NORMAL_WEIGHTS = normalWeights();

function normalWeights(): Float64Array {
  const weights = Float64Array.from({ length: POINTS }, (_, point) => {
    const z = ((2 * point) / (POINTS - 1) - 1) * REACH;
    return Math.exp(-(z * z) / 2);
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function variance({ mean, power }: Moments, channel: number): number {
  return Math.max(0, power[channel]! - mean[channel]! ** 2);
}

function activate(value: number, activation: HiddenAct | null): number {
  switch (activation) {
    case null:
      return value;
    case 'relu':
      return Math.max(0, value);
    case 'silu':
      return value / (1 + Math.exp(-value));
    case 'gelu':
      return 0.5 * value * (1 + erf(value / Math.SQRT2));
  }
}

/** Abramowitz and Stegun 7.1.26; off by 1.5e-7 at most. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

/** The least value behind an activation of what begins at `low`. */
function lowestActivated(low: number, activation: HiddenAct | null): number {
  if (activation === 'relu' || low >= 0) return 0;
  if (activation === null) return low;
  // Both have one minimum, -0.17 near -0.75 (gelu) and -0.278 near -1.28 (silu).
  const minimum = activation === 'gelu' ? -0.7517916 : -1.2784645;
  return activate(Math.max(low, minimum), activation);
}

/** The range of normalised pixels, which is exact. */
function pixelRange({ rescaleFactor, normalize }: Normalization): { min: number; max: number } {
  const white = 255 * (rescaleFactor ?? 1);
  if (normalize === null) return { min: Math.min(0, white), max: Math.max(0, white) };
  const ends = normalize.mean.flatMap((mean, channel) => {
    const deviation = normalize.std[channel]!;
    return [(0 - mean) / deviation, (white - mean) / deviation];
  });
  return { min: Math.min(...ends), max: Math.max(...ends) };
}

/** Pixels are taken for evenly distributed: what they are is the pictures' own affair. */
function imageSite({ min, max }: { min: number; max: number }, channels: number): CalibrationSite {
  const mean = (min + max) / 2;
  const power = mean * mean + (max - min) ** 2 / 12;
  const all = (value: number): Float64Array => new Float64Array(channels).fill(value);
  return toSite(min, max, all(mean), all(power));
}

/** The error is that of rounding: a step's share of the root mean square. */
function toSite(min: number, max: number, mean: Float64Array, power: Float64Array): CalibrationSite {
  const { scale } = quantizationOf(min, max);
  const average = power.reduce((sum, value) => sum + value, 0) / power.length;
  const error = average === 0 ? 0 : Math.sqrt((scale * scale) / 12 / average);
  return { min, max, relative_error: error, channel_mean: Array.from(mean), channel_power: Array.from(power) };
}

function largest(values: Float64Array, of: (value: number, channel: number) => number): number {
  return values.reduce((most, value, channel) => Math.max(most, of(value, channel)), Number.NEGATIVE_INFINITY);
}
