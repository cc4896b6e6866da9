/** What the 12 MP comparisons make of the photo. */
import { parseProcessorConfig } from '../../worker/preprocess/config.ts';

/** Edge of the thumbnail in px. */
export const THUMBNAIL_PX = 256;

/** The shorter edge resized to `THUMBNAIL_PX`, the middle kept; bicubic, as BiT's own processor does. */
export const THUMBNAIL_CONFIG = parseProcessorConfig({ size: THUMBNAIL_PX, crop_size: THUMBNAIL_PX, resample: 3 });
