/**
 * Encoded bytes in, `pixel_values` out: Hugging Face's `BitImageProcessorPil`, bit for bit where `exact` is asked for.
 *
 * No I/O, no clock. Source: transformers 5.18 `image_processing_backends.py` (`PilBackend._preprocess`).
 */
import { decodeRows, estimateDecodeBytes, readInfo } from '../imaging/decode.ts';
import type { DecodeOptions, ImageInfo, RgbImage } from '../imaging/image.ts';
import { checkByteLength, checkLimits, DEFAULT_LIMITS, type ImageLimits } from '../imaging/limits.ts';
import type { ProcessorConfig } from './config.ts';
import { normalize } from './normalize.ts';
import { checkPlannedMemory, type PreprocessPlan, planPreprocess, startResampler } from './plan.ts';

/** How a picture is preprocessed. */
export interface PreprocessOptions {
  /**
   * True: every pixel is decoded, the result has the reference's bits. False (default): a large JPEG is decoded at 1/2,
   * 1/4 or 1/8 first, several times as fast. Other pictures are exact either way.
   */
  readonly exact?: boolean;
  /** As in `DecodeOptions`. Default false. */
  readonly allowTruncated?: boolean;
  /** Default `DEFAULT_LIMITS`; its memory limit counts decoding, resizing and the result. */
  readonly limits?: ImageLimits;
}

/** A resized and cropped picture, before it is normalised. */
export interface Rgb8Picture {
  /** RGB8, `[height, width, 3]`. */
  readonly rgb8: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** The model's input. */
export interface PixelValues {
  /** `[3, height, width]`. */
  readonly pixelValues: Float32Array;
  readonly height: number;
  readonly width: number;
}

async function resizeBytes(
  bytes: Uint8Array,
  config: ProcessorConfig,
  options: PreprocessOptions,
  pixelValues: boolean,
): Promise<{ readonly picture: Rgb8Picture; readonly plan: PreprocessPlan; readonly info: ImageInfo }> {
  const { exact = false, allowTruncated = false, limits = DEFAULT_LIMITS } = options;
  checkByteLength(bytes.length, limits);
  const info = readInfo(bytes);
  checkLimits(info, bytes.length, 0, limits);
  const plan = planPreprocess(info, config, { exact });
  const decode: DecodeOptions = { scaleDenominator: plan.scaleDenominator, allowTruncated };
  const resultBytes = pixelValues ? plan.pixelValuesBytes : 0;
  checkPlannedMemory(plan, estimateDecodeBytes(bytes, decode) + resultBytes, limits.maxMemoryBytes);
  const resampler = startResampler(plan);
  await decodeRows(bytes, resampler, decode);
  return { picture: { rgb8: resampler.finish(), ...plan.output }, plan, info };
}

function pixelValuesOf(picture: Rgb8Picture, plan: PreprocessPlan): PixelValues {
  const { padded, config } = plan;
  const pixelValues = new Float32Array(padded.height * padded.width * 3);
  normalize(picture.rgb8, picture, config, pixelValues, 0, padded);
  return { pixelValues, height: padded.height, width: padded.width };
}

/**
 * Decodes, resizes, crops, rescales and normalises one encoded picture.
 *
 * @throws ImageError as `readInfo`, `checkLimits`, `planPreprocess` and `checkPlannedMemory` do
 */
export async function preprocess(
  bytes: Uint8Array,
  config: ProcessorConfig,
  options: PreprocessOptions = {},
): Promise<PixelValues & { readonly info: ImageInfo }> {
  const { picture, plan, info } = await resizeBytes(bytes, config, options, true);
  return { ...pixelValuesOf(picture, plan), info };
}

/**
 * Decodes, resizes and crops one encoded picture; `normalize` does the rest, here or on a GPU.
 * A processor's `do_pad` is not applied: it adds zeros after normalising.
 *
 * @throws ImageError as `preprocess`
 */
export async function preprocessToRgb8(
  bytes: Uint8Array,
  config: ProcessorConfig,
  options: PreprocessOptions = {},
): Promise<Rgb8Picture & { readonly info: ImageInfo }> {
  const { picture, info } = await resizeBytes(bytes, config, options, false);
  return { ...picture, info };
}

/**
 * Preprocesses a picture that is already decoded and upright; always exact.
 *
 * @throws ImageError as `planPreprocess` and `checkPlannedMemory` do
 */
export function preprocessImage(
  image: RgbImage,
  config: ProcessorConfig,
  limits: ImageLimits = DEFAULT_LIMITS,
): PixelValues {
  const { width, height } = image;
  const stored = { format: 'bmp', storedWidth: width, storedHeight: height, orientation: 1, components: 3 } as const;
  const plan = planPreprocess({ ...stored, width, height }, config, { exact: true });
  checkPlannedMemory(plan, plan.pixelValuesBytes, limits.maxMemoryBytes);
  const resampler = startResampler(plan);
  resampler.start(width, height);
  resampler.rows(image.data, 0, 0, height);
  return pixelValuesOf({ rgb8: resampler.finish(), ...plan.output }, plan);
}
