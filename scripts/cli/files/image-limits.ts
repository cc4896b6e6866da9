/** Limits of commands that decode pictures. */
import type { ImageLimits } from '../../../worker/imaging/limits.ts';

/**
 * A command line has the whole machine: only what no picture needs is refused. The pixel limit is the one at which
 * Pillow calls an image a decompression bomb, so that both refuse the same files.
 */
export const COMMAND_LIMITS: ImageLimits = {
  maxBytes: 2 ** 31,
  maxPixels: 178_956_970,
  maxEdge: 178_956_970,
  maxMemoryBytes: 2 ** 31,
};
