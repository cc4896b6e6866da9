/**
 * The two errors every WebP stage raises, in one wording.
 */
import { type ErrorDetails, ImageError } from '../../errors.ts';

/** The bytes are there and break the format. */
export function corruptWebp(what: string, details: ErrorDetails = {}): ImageError {
  return new ImageError('corrupt_image', `WebP: ${what}`, { details: { format: 'webp', ...details } });
}

/** The data ends before the image does. */
export function truncatedWebp(what: string, details: ErrorDetails = {}): ImageError {
  return new ImageError('truncated_image', `WebP: ${what}`, { details: { format: 'webp', ...details } });
}
