/** A processor's options for images of another size: the same crop of the picture, at another resolution. */
import type { PreprocessorJson } from '../../../model-store/build/checkpoint/preprocessor.ts';
import { ModelError } from '../../../worker/errors.ts';
import { parseProcessorConfig, type Size } from '../../../worker/preprocess/config.ts';

/** Sizes that make sense: what is smaller has no feature map left, what is larger is no picture for BiT. */
export const MIN_SIZE_PX = 32;
export const MAX_SIZE_PX = 1024;

/**
 * Scales resize and crop so that the shorter edge of the network's input is `sizePx`.
 * @throws ModelError `invalid_model_config` if the processor does not make images of one size.
 */
export function resizedPreprocessor(preprocessor: PreprocessorJson, sizePx: number): PreprocessorJson {
  const { resize, centerCrop, pad } = parseProcessorConfig(preprocessor);
  const target = resize?.target;
  if (pad === null && target?.kind === 'exact') {
    const scale = sizePx / Math.min(centerCrop?.height ?? target.height, centerCrop?.width ?? target.width);
    return {
      ...preprocessor,
      size: scaled(target, scale),
      ...(centerCrop === null ? {} : { crop_size: scaled(centerCrop, scale) }),
    };
  }
  if (pad === null && target?.kind === 'shortest_edge' && centerCrop !== null) {
    const scale = sizePx / Math.min(centerCrop.height, centerCrop.width);
    return {
      ...preprocessor,
      size: { shortest_edge: Math.round(target.shortestEdge * scale) },
      crop_size: scaled(centerCrop, scale),
    };
  }
  throw new ModelError(
    'invalid_model_config',
    `a size of ${sizePx} px: the processor does not resize and crop pictures to one size, so it cannot be scaled`,
  );
}

function scaled({ height, width }: Size, scale: number): { height: number; width: number } {
  return { height: Math.round(height * scale), width: Math.round(width * scale) };
}
