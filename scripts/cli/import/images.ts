/** A folder of pictures as model inputs, one at a time. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { AppError, ModelError } from '../../../worker/errors.ts';
import type { ImageLimits } from '../../../worker/imaging/limits.ts';
import type { ProcessorConfig } from '../../../worker/preprocess/config.ts';
import { preprocess } from '../../../worker/preprocess/preprocess.ts';

/** A command line has the whole machine: only what no picture needs is refused. */
const LIMITS: ImageLimits = { maxBytes: 2 ** 31, maxPixels: 2 ** 31, maxEdge: 2 ** 17, maxMemoryBytes: 4 * 2 ** 30 };

const PICTURE = /\.(jpe?g|png|webp|gif|bmp)$/i;

/** A model input: float32 [1, 3, H, W]. */
export interface PixelValuesTensor {
  readonly type: 'float32';
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The pictures below a folder. */
export interface ImageFolder {
  readonly folder: string;
  /** The folder's own name. */
  readonly name: string;
  /** From the folder, with `/`, sorted. */
  readonly paths: readonly string[];
}

/**
 * Lists the pictures below a folder, by their file names' endings.
 * @throws ModelError `invalid_model_config` where there is none.
 */
export async function listImages(folder: string): Promise<ImageFolder> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && PICTURE.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
  if (paths.length === 0)
    throw new ModelError('invalid_model_config', `${folder}: no JPEG, PNG, WebP, GIF or BMP files`);
  return { folder, name: basename(resolve(folder)), paths };
}

/** At most `count` pictures, evenly spread over the sorted list, so that every class of a sorted data set is met. */
export function sampleImages(images: ImageFolder, count: number): ImageFolder {
  const { paths } = images;
  if (paths.length <= count) return images;
  return { ...images, paths: Array.from({ length: count }, (_, i) => paths[Math.floor((i * paths.length) / count)]!) };
}

/**
 * One picture as `pixel_values` [1, 3, H, W], exactly as the processor makes it.
 * @throws AppError with the file's name in its message.
 */
export async function loadPixelValues(
  images: ImageFolder,
  path: string,
  processor: ProcessorConfig,
): Promise<PixelValuesTensor> {
  const file = join(images.folder, path);
  try {
    const { pixelValues, height, width } = await preprocess(await readFile(file), processor, {
      exact: true,
      limits: LIMITS,
    });
    return { type: 'float32', shape: [1, 3, height, width], data: pixelValues };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${file}: ${error.message}`, { details: error.details, cause: error });
  }
}
