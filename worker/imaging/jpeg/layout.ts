/**
 * Where blocks, samples and rows go: the geometry of a frame at one output scale. Pure arithmetic.
 *
 * Source: ITU-T T.81 annex A.2; libjpeg-turbo jdinput.c `initial_setup`, jdmaster.c `jpeg_calc_output_dimensions`,
 * jdsample.c `jinit_upsampler`.
 */
import type { ScaleDenominator } from '../image.ts';
import { corrupt, unsupported } from './failures.ts';
import type { Frame } from './marker-reader.ts';

/** Largest width and height that the reference decoder takes (libjpeg-turbo jmorecfg.h `JPEG_MAX_DIMENSION`). */
export const MAX_EDGE_PX = 65500;

const MAX_SAMPLING_FACTOR = 4;

/** How a component's samples become one per output pixel. */
export type Upsampling =
  /** One sample a pixel already. */
  | 'none'
  /** Twice as many columns, triangle filter. */
  | 'h2v1-fancy'
  /** Twice as many rows, triangle filter. */
  | 'h1v2-fancy'
  /** Twice as many of both, triangle filter. */
  | 'h2v2-fancy'
  /** Any whole ratio, samples repeated. */
  | 'repeat';

/** The geometry of one component. */
export interface ComponentLayout {
  readonly horizontal: number;
  readonly vertical: number;
  /** Blocks that carry image, per row and column; a non-interleaved scan codes just these. */
  readonly widthInBlocks: number;
  readonly heightInBlocks: number;
  /** Blocks per row including those that fill up the last MCU. */
  readonly paddedWidthInBlocks: number;
  /** Edge of what the inverse DCT makes of a block, in samples: 1, 2, 4 or 8. */
  readonly blockSize: number;
  /** Samples that carry image, after the inverse DCT. */
  readonly sampleWidth: number;
  readonly sampleHeight: number;
  readonly upsampling: Upsampling;
  /** Output pixels per sample, each way, for `repeat`. */
  readonly repeatHorizontal: number;
  readonly repeatVertical: number;
}

/** The geometry of a frame at one output scale. */
export interface Layout {
  readonly outputWidth: number;
  readonly outputHeight: number;
  readonly maxHorizontal: number;
  readonly maxVertical: number;
  readonly mcusPerRow: number;
  /** Rows of interleaved MCUs. */
  readonly mcuRows: number;
  /** Output rows that one row of MCUs makes. */
  readonly rowsPerMcuRow: number;
  /** True where upsampling looks at the rows above and below. */
  readonly needsContext: boolean;
  readonly components: readonly ComponentLayout[];
}

/**
 * Lays a frame out for decoding at `1 / scaleDenominator` size.
 *
 * @throws ImageError `corrupt_image` for sampling factors outside 1..4 or edges over 65500 px;
 *   `unsupported_image_feature` for sampling ratios that are no whole numbers
 */
export function layOut(frame: Frame, scaleDenominator: ScaleDenominator): Layout {
  const { width, height } = frame;
  if (width > MAX_EDGE_PX || height > MAX_EDGE_PX) {
    throw corrupt(`image is ${width}x${height}; edges can be ${MAX_EDGE_PX} px at most`, { width, height });
  }
  let maxHorizontal = 1;
  let maxVertical = 1;
  for (const { horizontal, vertical } of frame.components) {
    if (Math.min(horizontal, vertical) < 1 || Math.max(horizontal, vertical) > MAX_SAMPLING_FACTOR) {
      throw corrupt(`sampling factors are ${horizontal}x${vertical}; 1 to 4 are possible`);
    }
    maxHorizontal = Math.max(maxHorizontal, horizontal);
    maxVertical = Math.max(maxVertical, vertical);
  }
  const smallestBlock = 8 / scaleDenominator;
  const mcusPerRow = Math.ceil(width / (8 * maxHorizontal));
  const components = frame.components.map(({ horizontal, vertical }): ComponentLayout => {
    const blockSize = chooseBlockSize(smallestBlock, maxHorizontal, maxVertical, horizontal, vertical);
    const sampleWidth = Math.ceil((width * horizontal * blockSize) / (maxHorizontal * 8));
    // Samples per group that becomes maxHorizontal x maxVertical pixels.
    const groupWidth = (horizontal * blockSize) / smallestBlock;
    const groupHeight = (vertical * blockSize) / smallestBlock;
    return {
      horizontal,
      vertical,
      widthInBlocks: Math.ceil((width * horizontal) / (maxHorizontal * 8)),
      heightInBlocks: Math.ceil((height * vertical) / (maxVertical * 8)),
      paddedWidthInBlocks: mcusPerRow * horizontal,
      blockSize,
      sampleWidth,
      sampleHeight: Math.ceil((height * vertical * blockSize) / (maxVertical * 8)),
      upsampling: chooseUpsampling(
        maxHorizontal / groupWidth,
        maxVertical / groupHeight,
        smallestBlock > 1,
        sampleWidth > 2,
      ),
      repeatHorizontal: maxHorizontal / groupWidth,
      repeatVertical: maxVertical / groupHeight,
    };
  });
  return {
    outputWidth: Math.ceil(width / scaleDenominator),
    outputHeight: Math.ceil(height / scaleDenominator),
    maxHorizontal,
    maxVertical,
    mcusPerRow,
    mcuRows: Math.ceil(height / (8 * maxVertical)),
    rowsPerMcuRow: smallestBlock * maxVertical,
    needsContext: components.some(({ upsampling }) => upsampling === 'h1v2-fancy' || upsampling === 'h2v2-fancy'),
    components,
  };
}

/** Subsampled components are enlarged by a larger inverse DCT where that makes upsampling unnecessary. */
function chooseBlockSize(
  smallestBlock: number,
  maxHorizontal: number,
  maxVertical: number,
  horizontal: number,
  vertical: number,
): number {
  let size = smallestBlock;
  while (
    size < 8 &&
    (maxHorizontal * smallestBlock) % (horizontal * size * 2) === 0 &&
    (maxVertical * smallestBlock) % (vertical * size * 2) === 0
  ) {
    size *= 2;
  }
  return size;
}

function chooseUpsampling(columns: number, rows: number, allowFancy: boolean, wideEnough: boolean): Upsampling {
  if (columns === 1 && rows === 1) return 'none';
  if (columns === 2 && rows === 1) return allowFancy && wideEnough ? 'h2v1-fancy' : 'repeat';
  if (columns === 1 && rows === 2 && allowFancy) return 'h1v2-fancy';
  if (columns === 2 && rows === 2) return allowFancy && wideEnough ? 'h2v2-fancy' : 'repeat';
  if (Number.isInteger(columns) && Number.isInteger(rows)) return 'repeat';
  throw unsupported(`a sampling ratio of ${columns}:${rows}, no whole numbers`, { columns, rows });
}
