/**
 * What preprocessing a picture will do and need, from its headers alone: how far a JPEG is scaled down while it is
 * decoded, the resized size, the crop, the memory. No pixel is touched.
 */
import { ImageError } from '../errors.ts';
import type { ImageInfo, ScaleDenominator } from '../imaging/image.ts';
import type { ProcessorConfig, Size } from './config.ts';
import { type AxisGeometry, axisBounds, buildAxis } from './resample/axis.ts';
import { createResampler, type Resampler, resamplerBytes, swapsAxes } from './resample/resampler.ts';
import { type CropAxis, cropAxis, resizedSize } from './size.ts';

/** As Pillow's `reducing_gap`: a scaled decode leaves at least this many px for each px of the resized picture. */
const REDUCING_GAP = 2;

/** Orientations whose stored x axis runs against the upright axis that it becomes. */
const MIRRORED_X: readonly number[] = [2, 3, 7, 8];
/** The same for the stored y axis. */
const MIRRORED_Y: readonly number[] = [3, 4, 6, 7];

/** The part of `ImageInfo` that a plan depends on. */
export type PlannedImage = Pick<
  ImageInfo,
  'format' | 'width' | 'height' | 'storedWidth' | 'storedHeight' | 'orientation' | 'components'
>;

/** What preprocessing does to one picture. */
export interface PreprocessPlan {
  readonly image: PlannedImage;
  readonly config: ProcessorConfig;
  readonly scaleDenominator: ScaleDenominator;
  /** Stored size in px after the scaled decode. */
  readonly decoded: Size;
  /** Upright size in px after resizing, before the crop. */
  readonly resized: Size;
  readonly cropX: CropAxis;
  readonly cropY: CropAxis;
  /** Size of the RGB8 result in px. */
  readonly output: Size;
  /** Size of `pixel_values` in px; larger than `output` only where the processor pads. */
  readonly padded: Size;
  /** Most bytes that resizing allocates, the RGB8 result included; the decoder and `pixel_values` come on top. */
  readonly resizeBytes: number;
  /** Bytes of `pixel_values`. */
  readonly pixelValuesBytes: number;
}

function chooseScale(image: PlannedImage, target: Size, config: ProcessorConfig): ScaleDenominator {
  // A decoder that averages px is no stand-in for the filter that takes single ones.
  if (image.format !== 'jpeg' || config.resize === null || config.resize.resample === 0) return 1;
  const swapped = swapsAxes(image.orientation);
  const gapX = image.storedWidth / (REDUCING_GAP * (swapped ? target.height : target.width));
  const gapY = image.storedHeight / (REDUCING_GAP * (swapped ? target.width : target.height));
  const gap = Math.min(gapX, gapY);
  if (gap >= 8) return 8;
  if (gap >= 4) return 4;
  return gap >= 2 ? 2 : 1;
}

function storedAxes(
  plan: Pick<PreprocessPlan, 'image' | 'scaleDenominator' | 'decoded' | 'resized' | 'cropX' | 'cropY'>,
): {
  readonly x: AxisGeometry;
  readonly y: AxisGeometry;
} {
  const { image, scaleDenominator, decoded, resized } = plan;
  const swapped = swapsAxes(image.orientation);
  const axis = (
    inSize: number,
    storedSize: number,
    outSize: number,
    crop: CropAxis,
    mirrored: boolean,
  ): AxisGeometry => {
    // A size that the denominator does not divide is rounded up; the last px then covers less than a whole one.
    const covered = storedSize / scaleDenominator;
    const boxStart = mirrored ? inSize - covered : 0;
    return {
      inSize,
      boxStart,
      boxEnd: boxStart + covered,
      outSize,
      keepStart: crop.start,
      keepCount: crop.count,
      mirrored,
    };
  };
  const mirroredX = MIRRORED_X.includes(image.orientation);
  const mirroredY = MIRRORED_Y.includes(image.orientation);
  const [outX, cropX] = swapped ? [resized.height, plan.cropY] : [resized.width, plan.cropX];
  const [outY, cropY] = swapped ? [resized.width, plan.cropX] : [resized.height, plan.cropY];
  return {
    x: axis(decoded.width, image.storedWidth, outX, cropX, mirroredX),
    y: axis(decoded.height, image.storedHeight, outY, cropY, mirroredY),
  };
}

/**
 * Plans one picture. `exact` false lets a JPEG be decoded at 1/2, 1/4 or 1/8 where that leaves at least twice the
 * resized edges (nothing else changes, and small pictures are exact anyway).
 *
 * Throws `ImageError` `unsupported_image_feature` where an edge would become 0 px, or exceeds the size to pad to, or
 * where the picture is not stored as RGB and the processor does not convert it (the reference would feed the model
 * another number of channels).
 */
export function planPreprocess(
  image: PlannedImage,
  config: ProcessorConfig,
  { exact }: { readonly exact: boolean },
): PreprocessPlan {
  if (!config.doConvertRgb && image.components !== 3) {
    const message = `image has ${image.components} components a pixel; this processor takes RGB as it is (do_convert_rgb is false)`;
    throw new ImageError('unsupported_image_feature', message, { details: { components: image.components } });
  }
  const upright: Size = { height: image.height, width: image.width };
  const resized = config.resize === null ? upright : resizedSize(upright, config.resize.target);
  const scaleDenominator = exact ? 1 : chooseScale(image, resized, config);
  const decoded: Size = {
    height: Math.ceil(image.storedHeight / scaleDenominator),
    width: Math.ceil(image.storedWidth / scaleDenominator),
  };
  const cropX = cropAxis(resized.width, config.centerCrop?.width ?? resized.width);
  const cropY = cropAxis(resized.height, config.centerCrop?.height ?? resized.height);
  const output: Size = { height: cropY.size, width: cropX.size };
  const padded = config.pad ?? output;
  if (padded.height < output.height || padded.width < output.width) {
    const message = `image of ${output.width}x${output.height} px cannot be padded to ${padded.width}x${padded.height} px`;
    throw new ImageError('unsupported_image_feature', message, { details: { ...output } });
  }
  const partial = { image, config, scaleDenominator, decoded, resized, cropX, cropY, output, padded };
  const axes = storedAxes(partial);
  const resample = config.resize?.resample ?? null;
  const resizeBytes = resamplerBytes(
    { ...axisBounds(axes.x, resample), inSize: axes.x.inSize, count: axes.x.keepCount },
    axisBounds(axes.y, resample),
    image.orientation,
    output.height * output.width * 3,
  );
  return { ...partial, resizeBytes, pixelValuesBytes: padded.height * padded.width * 3 * 4 };
}

/**
 * Throws `ImageError` `image_memory_exceeded` where resizing and `otherBytes` (decoding, the result) together take more
 * than `limitBytes`.
 */
export function checkPlannedMemory(plan: PreprocessPlan, otherBytes: number, limitBytes: number): void {
  const bytes = plan.resizeBytes + otherBytes;
  if (bytes <= limitBytes) return;
  const { image, resized } = plan;
  const mib = (n: number): string => (n / 2 ** 20).toFixed(1);
  const size = `${image.storedWidth}x${image.storedHeight} ${image.format} to ${resized.width}x${resized.height} px`;
  const message = `decoding and resizing this ${size} takes ${mib(bytes)} MiB; limit ${mib(limitBytes)} MiB`;
  const details = { limit: 'maxMemoryBytes', value: bytes, maximum: limitBytes };
  throw new ImageError('image_memory_exceeded', message, { details });
}

/** Starts the resizer that a plan describes. */
export function startResampler(plan: PreprocessPlan): Resampler {
  const { image, config, decoded, cropX, cropY } = plan;
  const axes = storedAxes(plan);
  const resample = config.resize?.resample ?? null;
  return createResampler({
    storedWidth: decoded.width,
    storedHeight: decoded.height,
    orientation: image.orientation,
    x: buildAxis(axes.x, resample),
    y: buildAxis(axes.y, resample),
    cropX,
    cropY,
  });
}
