/**
 * What calibration learns of a network from images: for each place where an activation becomes 8 bits ("site"), its
 * range, and the mean and the power of its channels. Small enough to lie beside a checkpoint, so that a build needs no images.
 */
import * as z from 'zod';
import { ModelError } from '../../../worker/errors.ts';
import { chooseActivationRange } from './activation-range.ts';
import { Histogram } from './histogram.ts';

const siteSchema = z.strictObject({
  /** Range that 8 bits cover, as `chooseActivationRange` chose it. */
  min: z.number(),
  max: z.number(),
  /** Root of the quantization's mean squared error over the root of the mean square. */
  relative_error: z.number().nonnegative(),
  /** Mean of each channel. */
  channel_mean: z.array(z.number()).min(1),
  /** Mean square of each channel. */
  channel_power: z.array(z.number().nonnegative()).min(1),
});

/** calibration.json. */
export const calibrationSchema = z.strictObject({
  schema_version: z.literal(1),
  /** How many images it was made of; 0 where it was estimated without any. */
  images: z.int().nonnegative(),
  sites: z.record(z.string(), siteSchema),
});
export type Calibration = z.infer<typeof calibrationSchema>;
export type CalibrationSite = z.infer<typeof siteSchema>;

/**
 * Parses and checks calibration.json.
 * @throws ModelError `invalid_checkpoint`, naming the field.
 */
export function parseCalibration(json: unknown, file = 'calibration.json'): Calibration {
  const parsed = calibrationSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ModelError('invalid_checkpoint', `${file}: ${issue.path.join('.') || 'value'}: ${issue.message}`);
}

/** Collects one site's statistics over any number of images. */
class SiteStatistics {
  readonly histogram = new Histogram();
  readonly #sum: Float64Array;
  readonly #power: Float64Array;
  #positions = 0;

  constructor(channels: number) {
    this.#sum = new Float64Array(channels);
    this.#power = new Float64Array(channels);
  }

  add(values: Float32Array, plane: number): void {
    this.histogram.add(values);
    const channels = this.#power.length;
    for (let start = 0, channel = 0; start < values.length; start += plane, channel++) {
      let sum = 0;
      let power = 0;
      for (let i = start; i < start + plane; i++) {
        sum += values[i]!;
        power += values[i]! * values[i]!;
      }
      this.#sum[channel % channels]! += sum;
      this.#power[channel % channels]! += power;
    }
    this.#positions += values.length / channels;
  }

  finish(): CalibrationSite {
    const { min, max, relativeError } = chooseActivationRange(this.histogram);
    return {
      min: round(min),
      max: round(max),
      relative_error: round(relativeError),
      channel_mean: Array.from(this.#sum, (sum) => round(sum / this.#positions)),
      channel_power: Array.from(this.#power, (power) => round(power / this.#positions)),
    };
  }
}

/** Collects the statistics of all sites; feed it every image's activations, then `finish`. */
export class Calibrator {
  readonly #sites = new Map<string, SiteStatistics>();
  #images = 0;

  /**
   * Adds the activations of one site.
   * @param values [batch, channels, ...]; must be finite.
   */
  add(site: string, shape: readonly number[], values: Float32Array): void {
    const channels = shape[1]!;
    let statistics = this.#sites.get(site);
    if (statistics === undefined) {
      statistics = new SiteStatistics(channels);
      this.#sites.set(site, statistics);
    }
    statistics.add(values, values.length / (shape[0]! * channels));
  }

  /** Counts images whose activations have been added. */
  countImages(images: number): void {
    this.#images += images;
  }

  /** Chooses the ranges. */
  finish(): Calibration {
    const sites: Record<string, CalibrationSite> = {};
    for (const [site, statistics] of this.#sites) sites[site] = statistics.finish();
    return { schema_version: 1, images: this.#images, sites };
  }
}

/** Five significant digits: far finer than one step of an 8-bit grid, and a third of the bytes. */
function round(value: number): number {
  return Number(value.toPrecision(5));
}
