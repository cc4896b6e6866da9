/** `bit-edge decode`: what images decode to, one JSON line a file. */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { AppError } from '../../../worker/errors.ts';
import { decodeImage } from '../../../worker/imaging/decode.ts';
import { detectFormat } from '../../../worker/imaging/format.ts';
import { COMMAND_LIMITS } from '../files/image-limits.ts';
import { readBytes } from '../files/read-file.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge decode [--allow-truncated] FILE...

Decodes each file to upright RGB8 (first frame, EXIF orientation applied, alpha dropped) and prints one JSON line:

  {"file": ..., "format": ..., "width": ..., "height": ..., "sha256_rgb": ...}
  {"file": ..., "error": {"code": ..., "message": ...}}

sha256_rgb is that of Pillow's ImageOps.exif_transpose(Image.open(file)).convert("RGB").tobytes().
Exits with 0 if every file was decoded, with 1 if not.

  --allow-truncated   fill what is missing from a truncated file as Pillow's LOAD_TRUNCATED_IMAGES does
`;

/** The line for one file; an unreadable file is `not_found`. */
async function describe(file: string, allowTruncated: boolean): Promise<Readonly<Record<string, unknown>>> {
  try {
    const bytes = await readBytes(file);
    const { width, height, data } = await decodeImage(bytes, { allowTruncated }, COMMAND_LIMITS);
    const sha256 = createHash('sha256').update(data).digest('hex');
    return { file, format: detectFormat(bytes), width, height, sha256_rgb: sha256 };
  } catch (error) {
    if (error instanceof AppError) return { file, error: { code: error.code, message: error.message } };
    if (error instanceof Error && 'syscall' in error) {
      return { file, error: { code: 'not_found', message: error.message } };
    }
    throw error;
  }
}

/** Runs the command; 1 where a file was not decoded, 2 for wrong usage. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'allow-truncated': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (positionals.length === 0) {
    process.stderr.write(HELP);
    return 2;
  }
  let exitCode = 0;
  for (const file of positionals) {
    const line = await describe(file, values['allow-truncated']);
    if ('error' in line) exitCode = 1;
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
  return exitCode;
}
