/**
 * Encoded bytes in, `pixel_values` out: Hugging Face's `BitImageProcessorPil`, bit for bit where `exact` is asked for.
 *
 * No I/O, no clock. Source: transformers 5.18 `image_processing_backends.py` (`PilBackend._preprocess`).
 */
import { decodeRows, estimateDecodeBytes, readInfo } from '../imaging/decode.ts';
import type { DecodeOptions, ImageInfo, RgbImage, RowSink } from '../imaging/image.ts';
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
  /** Asked for the bytes that decoding and resizing will take, before they are taken; the lease is released when they are free. */
  readonly acquire?: (bytes: number) => Promise<{ release(): void }>;
  /** A clock in ms for `StageTimes`; it may stand still. Default: one that does. */
  readonly now?: () => number;
}

/** What the stages took, in ms by the clock that was passed in. */
export interface StageTimes {
  readonly decodeMs: number;
  readonly preprocessMs: number;
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

/** Passes rows on and adds up the time that their consumer takes. */
class TimedSink implements RowSink {
  elapsedMs = 0;
  readonly #sink: RowSink;
  readonly #now: () => number;

  constructor(sink: RowSink, now: () => number) {
    this.#sink = sink;
    this.#now = now;
  }

  start(width: number, height: number): void {
    this.#sink.start(width, height);
  }

  rows(data: Uint8Array, offset: number, y: number, count: number): void {
    const start = this.#now();
    this.#sink.rows(data, offset, y, count);
    this.elapsedMs += this.#now() - start;
  }
}

interface Resized {
  readonly picture: Rgb8Picture;
  readonly plan: PreprocessPlan;
  readonly info: ImageInfo;
  readonly times: StageTimes;
}

async function resizeBytes(
  bytes: Uint8Array,
  config: ProcessorConfig,
  options: PreprocessOptions,
  pixelValues: boolean,
): Promise<Resized> {
  const { exact = false, allowTruncated = false, limits = DEFAULT_LIMITS, now = () => 0 } = options;
  checkByteLength(bytes.length, limits);
  const info = readInfo(bytes);
  checkLimits(info, bytes.length, 0, limits);
  const plan = planPreprocess(info, config, { exact });
  const decode: DecodeOptions = { scaleDenominator: plan.scaleDenominator, allowTruncated };
  const resultBytes = pixelValues ? plan.pixelValuesBytes : 0;
  const decodeBytes = estimateDecodeBytes(bytes, decode);
  checkPlannedMemory(plan, decodeBytes + resultBytes, limits.maxMemoryBytes);
  const lease = await options.acquire?.(decodeBytes + plan.resizeBytes + resultBytes);
  try {
    const start = now();
    const resampler = startResampler(plan);
    const sink = new TimedSink(resampler, now);
    await decodeRows(bytes, sink, decode);
    const decodeMs = now() - start - sink.elapsedMs;
    const picture = { rgb8: resampler.finish(), ...plan.output };
    return { picture, plan, info, times: { decodeMs, preprocessMs: now() - start - decodeMs } };
  } finally {
    lease?.release();
  }
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
): Promise<PixelValues & StageTimes & { readonly info: ImageInfo }> {
  const { picture, plan, info, times } = await resizeBytes(bytes, config, options, true);
  return { ...pixelValuesOf(picture, plan), ...times, info };
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
): Promise<Rgb8Picture & StageTimes & { readonly info: ImageInfo }> {
  const { picture, info, times } = await resizeBytes(bytes, config, options, false);
  return { ...picture, ...times, info };
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
