/** The size of image that a processor makes, where it makes only one. */
import type { ProcessorConfig, Size } from '../../worker/preprocess/config.ts';

/** Height and width in px of every image behind this processor; null where they depend on the picture. */
export function fixedImageSize({ pad, centerCrop, resize }: ProcessorConfig): Size | null {
  if (pad !== null) return pad;
  if (centerCrop !== null) return centerCrop;
  return resize?.target.kind === 'exact' ? { height: resize.target.height, width: resize.target.width } : null;
}
