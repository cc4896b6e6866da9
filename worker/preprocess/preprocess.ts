/**
 * A picture in, `pixel_values` out: Hugging Face's `BitImageProcessorPil`, bit for bit.
 *
 * No I/O, no clock. Source: transformers 5.18 `image_processing_backends.py` (`PilBackend._preprocess`).
 */
import { ImageError } from '../errors.ts';
import type { RgbImage } from '../imaging/image.ts';
import type { ProcessorConfig } from './config.ts';
import { normalize } from './normalize.ts';
import { type PreprocessPlan, planPreprocess, startResampler } from './plan.ts';

/** Default cap on what resizing and `pixel_values` may allocate together. */
export const DEFAULT_MEMORY_LIMIT_BYTES = 64 * 1024 * 1024;

/** A resized and cropped picture, ready to be normalised: RGB8, `[height, width, 3]`. */
export interface Rgb8Picture {
  readonly rgb8: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** The model's input: float32, `[3, height, width]`. */
export interface PixelValues {
  readonly pixelValues: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** Throws `ImageError` `image_memory_exceeded` where the plan needs more than `limitBytes`. */
export function checkPlannedMemory(plan: PreprocessPlan, limitBytes: number): void {
  const bytes = plan.resizeBytes + plan.pixelValuesBytes;
  if (bytes <= limitBytes) return;
  const { width, height } = plan.image;
  const mib = (n: number): string => (n / 2 ** 20).toFixed(1);
  const message = `preprocessing an image of ${width}x${height} px to ${plan.padded.width}x${plan.padded.height} px takes ${mib(bytes)} MiB; limit ${mib(limitBytes)} MiB`;
  throw new ImageError('image_memory_exceeded', message, { details: { bytes, limitBytes } });
}

/** Normalises a picture into the planned `pixel_values`. */
export function pixelValuesOf(picture: Rgb8Picture, plan: PreprocessPlan): PixelValues {
  const { padded, config } = plan;
  const pixelValues = new Float32Array(padded.height * padded.width * 3);
  normalize(picture.rgb8, picture, config, pixelValues, 0, padded);
  return { pixelValues, height: padded.height, width: padded.width };
}

/**
 * Preprocesses a picture that is already decoded and upright.
 * Throws as `planPreprocess` and `checkPlannedMemory` do.
 */
export function preprocessImage(
  image: RgbImage,
  config: ProcessorConfig,
  limitBytes: number = DEFAULT_MEMORY_LIMIT_BYTES,
): PixelValues {
  const { width, height } = image;
  const upright = { format: 'png', width, height, storedWidth: width, storedHeight: height, orientation: 1 } as const;
  const plan = planPreprocess(upright, config, { exact: true });
  checkPlannedMemory(plan, limitBytes);
  const resampler = startResampler(plan);
  resampler.start(width, height);
  resampler.rows(image.data, 0, 0, height);
  return pixelValuesOf({ rgb8: resampler.finish(), ...plan.output }, plan);
}
