/**
 * The errors of the JPEG decoder, in one place so that messages stay alike.
 */
import { type ErrorDetails, ImageError } from '../../errors.ts';
import { MARKER } from './markers.ts';

/** Data that no decoder should accept: libjpeg's fatal errors. */
export function corrupt(message: string, details: ErrorDetails = {}): ImageError {
  return new ImageError('corrupt_image', `JPEG ${message}`, { details });
}

/** The file ends before the image does. */
export function truncated(message: string, details: ErrorDetails): ImageError {
  return new ImageError('truncated_image', `JPEG ${message}`, { details });
}

/** A process of ITU-T T.81 that is recognised and not decoded. */
export function unsupported(feature: string, details: ErrorDetails = {}): ImageError {
  return new ImageError('unsupported_image_feature', `JPEG uses ${feature}, which is not supported`, { details });
}

/**
 * Refuses the frame types that are not decoded here, by name.
 * Source: ITU-T T.81 table B.1.
 */
export function requireSupportedFrame(marker: number, bitsPerSample: number): void {
  switch (marker) {
    case MARKER.SOF0:
    case MARKER.SOF1:
    case MARKER.SOF2:
    case MARKER.SOF9:
    case MARKER.SOF10:
      break;
    case MARKER.SOF3:
      throw unsupported('lossless coding (SOF3)');
    case MARKER.SOF5:
    case MARKER.SOF6:
    case MARKER.SOF7:
      throw unsupported(`hierarchical coding (SOF${marker - MARKER.SOF0})`);
    case MARKER.SOF11:
      throw unsupported('lossless arithmetic coding (SOF11)');
    case MARKER.JPG:
      throw unsupported('a reserved extension (JPG)');
    default:
      throw unsupported(`hierarchical arithmetic coding (SOF${marker - MARKER.SOF0})`);
  }
  if (bitsPerSample !== 8) throw unsupported(`${bitsPerSample}-bit samples`, { bitsPerSample });
}
