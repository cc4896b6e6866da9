/** `bit-edge preprocess`: pictures to `pixel_values`, as a safetensors file. */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { float32Tensor, writeSafetensors } from '../../../model-store/safetensors.ts';
import { AppError, ModelError } from '../../../worker/errors.ts';
import type { ImageLimits } from '../../../worker/imaging/limits.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../../../worker/preprocess/config.ts';
import { type PixelValues, preprocess } from '../../../worker/preprocess/preprocess.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge preprocess --config preprocessor_config.json --out x.safetensors [--fast] [--allow-truncated] FILE...

Writes one tensor, pixel_values [N, 3, H, W] float32, with the bits of Hugging Face's BitImageProcessor.

  --config FILE       a preprocessor_config.json or processor_config.json
  --out FILE          the safetensors file to write
  --fast              decode large JPEGs at 1/2, 1/4 or 1/8, as the server does by default
  --allow-truncated   fill what is missing from a truncated file instead of refusing it
`;

/** A command line has the whole machine: only what no picture needs is refused. */
const LIMITS: ImageLimits = { maxBytes: 2 ** 31, maxPixels: 2 ** 31, maxEdge: 2 ** 17, maxMemoryBytes: 4 * 2 ** 30 };

async function readConfig(path: string): Promise<ProcessorConfig> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelError('invalid_model_config', `${path}: ${reason}`, { cause });
  }
  return parseProcessorConfig(json);
}

/** Runs `preprocess` on one file; an error names the file. */
async function preprocessFile(
  path: string,
  config: ProcessorConfig,
  options: { readonly exact: boolean; readonly allowTruncated: boolean },
): Promise<PixelValues> {
  const bytes = await readFile(path);
  try {
    return await preprocess(bytes, config, { ...options, limits: LIMITS });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${path}: ${error.message}`, { details: error.details, cause: error });
  }
}

/** Runs the command; 2 for wrong usage, 1 where the pictures come out in different sizes. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      out: { type: 'string' },
      fast: { type: 'boolean', default: false },
      'allow-truncated': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.config === undefined || values.out === undefined || positionals.length === 0) {
    process.stderr.write(HELP);
    return 2;
  }
  const config = await readConfig(values.config);
  const pictures: PixelValues[] = [];
  for (const path of positionals) {
    const options = { exact: !values.fast, allowTruncated: values['allow-truncated'] };
    const picture = await preprocessFile(path, config, options);
    const first = pictures[0] ?? picture;
    if (picture.height !== first.height || picture.width !== first.width) {
      process.stderr.write(
        `bit-edge preprocess: ${path} comes out at ${picture.width}x${picture.height} px, ${positionals[0]} at ${first.width}x${first.height} px; one tensor takes one size\n`,
      );
      return 1;
    }
    pictures.push(picture);
  }
  const { height, width } = pictures[0]!;
  const length = 3 * height * width;
  const pixelValues = new Float32Array(pictures.length * length);
  for (const [i, picture] of pictures.entries()) pixelValues.set(picture.pixelValues, i * length);
  const tensor = float32Tensor([pictures.length, 3, height, width], pixelValues);
  await writeFile(values.out, writeSafetensors(new Map([['pixel_values', tensor]])));
  process.stderr.write(`${values.out}: pixel_values [${pictures.length}, 3, ${height}, ${width}]\n`);
  return 0;
}
