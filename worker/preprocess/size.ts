/**
 * Sizes and crop boxes, with the reference's own rounding. Pure arithmetic.
 *
 * Source: transformers 5.18 `image_transforms.py` (`get_resize_output_image_size`, `get_size_with_aspect_ratio`,
 * `center_crop`) and `image_utils.py` (`get_image_size_for_max_height_width`).
 */
import { ImageError } from '../errors.ts';
import type { ResizeTarget, Size } from './config.ts';

/** The part of one axis of the resized picture that is kept, and where it lies in the output; all in px. */
export interface CropAxis {
  /** First px of the resized picture that is kept. */
  readonly start: number;
  /** How many px of it are kept. */
  readonly count: number;
  /** Zero px before them in the output. */
  readonly padBefore: number;
  /** Length of the output. */
  readonly size: number;
}

/** Python's `round`: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function sizeWithinEdges({ height, width }: Size, shortestEdge: number, longestEdge: number): Size {
  const shortest = Math.min(height, width);
  const longest = Math.max(height, width);
  // Where the longest edge decides, the other one is computed from the unrounded shortest edge.
  const limited = (longest / shortest) * shortestEdge > longestEdge;
  const raw = limited ? (longestEdge * shortest) / longest : shortestEdge;
  const size = limited ? roundHalfEven(raw) : shortestEdge;
  if ((height <= width && height === size) || (width <= height && width === size)) return { height, width };
  if (width < height) return { height: Math.trunc((raw * height) / width), width: size };
  return { height: size, width: Math.trunc((raw * width) / height) };
}

/**
 * Size in px that an upright picture of `image` px is resized to.
 * Throws `ImageError` `unsupported_image_feature` where an edge would round to 0 px, which the reference refuses too.
 */
export function resizedSize(image: Size, target: ResizeTarget): Size {
  const { height, width } = image;
  let size: Size;
  switch (target.kind) {
    case 'exact':
      size = { height: target.height, width: target.width };
      break;
    case 'shortest_edge': {
      const edge = target.shortestEdge;
      size =
        width <= height
          ? { height: Math.trunc((edge * height) / width), width: edge }
          : { height: edge, width: Math.trunc((edge * width) / height) };
      break;
    }
    case 'edges':
      size = sizeWithinEdges(image, target.shortestEdge, target.longestEdge);
      break;
    case 'within': {
      const scale = Math.min(target.maxHeight / height, target.maxWidth / width);
      size = { height: Math.trunc(height * scale), width: Math.trunc(width * scale) };
      break;
    }
  }
  if (size.height < 1 || size.width < 1) {
    const message = `image of ${width}x${height} px would be resized to ${size.width}x${size.height} px; an edge must have 1 px`;
    throw new ImageError('unsupported_image_feature', message, { details: { width, height } });
  }
  return size;
}

/**
 * Centre crop of one axis: `size` px from the middle of `resized` px, zeros on both sides where it has fewer.
 * Odd remainders: one px more is cut at the end, one zero more is added at the beginning.
 */
export function cropAxis(resized: number, size: number): CropAxis {
  if (size <= resized) return { start: Math.floor((resized - size) / 2), count: size, padBefore: 0, size };
  return { start: 0, count: resized, padBefore: Math.ceil((size - resized) / 2), size };
}
