/** Hugging Face's answers. */
import * as z from 'zod';
import { labelScores } from './common.ts';

/** Image classification: of one image, or of each of a list. */
export const hfClassificationSchema = z.union([labelScores, z.array(labelScores)]);

/** Feature extraction: a vector an image. */
export const hfFeaturesSchema = z.array(z.array(z.number()));
