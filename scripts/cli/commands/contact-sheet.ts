/** `bit-edge contact-sheet`: the pictures of a folder, as decoded, on one page for the eye. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError } from '../../../worker/errors.ts';
import { readInfo } from '../../../worker/imaging/decode.ts';
import type { ProcessorConfig } from '../../../worker/preprocess/config.ts';
import { preprocessToRgb8 } from '../../../worker/preprocess/preprocess.ts';
import { Canvas, CHARACTER_WIDTH_PX, type Color } from '../contact-sheet/canvas.ts';
import { GLYPH_HEIGHT_PX } from '../contact-sheet/font.ts';
import { COMMAND_LIMITS } from '../files/image-limits.ts';
import { readBytes } from '../files/read-file.ts';
import { encodePng } from '../files/write-png.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge contact-sheet [--columns N] [--thumb PX] DIR OUT.png

Decodes every file in DIR and puts the pictures, upright and with their names, on one page. A file that is not decoded
shows its error code instead.

  --columns N   pictures a row; default 10
  --thumb PX    longer edge of a thumbnail; default 128. Smaller pictures keep their size
`;

const GAP_PX = 6;
const CAPTION_PX = GLYPH_HEIGHT_PX + 4;
const PAGE: Color = [34, 34, 34];
const TILE: Color = [64, 64, 64];
const INK: Color = [235, 235, 235];
const ALARM: Color = [255, 110, 90];

/** Smallest thumbnail that still holds an error code on two lines. */
const MIN_THUMB_PX = 64;

/** Decodes and shrinks one file to fit a square of `edge` px. */
async function thumbnail(path: string, edge: number): Promise<{ width: number; height: number; data: Uint8Array }> {
  const bytes = await readBytes(path);
  const info = readInfo(bytes);
  const scale = Math.min(1, edge / Math.max(info.width, info.height));
  const width = Math.max(1, Math.round(info.width * scale));
  const height = Math.max(1, Math.round(info.height * scale));
  const config: ProcessorConfig = {
    doConvertRgb: true,
    resize: { target: { kind: 'exact', height, width }, resample: 3 },
    centerCrop: null,
    rescaleFactor: null,
    normalize: null,
    pad: null,
  };
  const { rgb8 } = await preprocessToRgb8(bytes, config, { limits: COMMAND_LIMITS });
  return { width, height, data: rgb8 };
}

/** Splits a text into lines of `length` characters. */
function lines(text: string, length: number): string[] {
  return Array.from({ length: Math.ceil(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length));
}

/** The end of a name tells files apart; its start is cut. */
function caption(name: string, length: number): string {
  return name.length <= length ? name : `~${name.slice(name.length - length + 1)}`;
}

async function drawTile(
  canvas: Canvas,
  path: string,
  name: string,
  x: number,
  y: number,
  edge: number,
): Promise<boolean> {
  canvas.fill(x, y, edge, edge, TILE);
  const characters = Math.floor(edge / CHARACTER_WIDTH_PX);
  try {
    const image = await thumbnail(path, edge);
    canvas.draw(image, x + ((edge - image.width) >> 1), y + ((edge - image.height) >> 1));
    canvas.write(caption(name, characters), x, y + edge + 2, INK);
    return true;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    lines(error.code, characters - 1).forEach((line, i) => {
      canvas.write(line, x + 3, y + 4 + i * CAPTION_PX, ALARM);
    });
    canvas.write(caption(name, characters), x, y + edge + 2, ALARM);
    return false;
  }
}

function positive(text: string, minimum: number): number {
  const value = Number(text);
  return Number.isInteger(value) && value >= minimum && value <= 4096 ? value : Number.NaN;
}

/** Runs the command; 2 for wrong usage. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      columns: { type: 'string', default: '10' },
      thumb: { type: 'string', default: '128' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [folder, out] = positionals;
  const columns = positive(values.columns, 1);
  const edge = positive(values.thumb, MIN_THUMB_PX);
  if (folder === undefined || out === undefined || positionals.length > 2 || Number.isNaN(columns + edge)) {
    process.stderr.write(HELP);
    return 2;
  }
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  names.sort();
  if (names.length === 0) {
    process.stderr.write(`bit-edge contact-sheet: ${folder} holds no files\n`);
    return 1;
  }
  const rows = Math.ceil(names.length / columns);
  const pitch = edge + GAP_PX;
  const rowPitch = pitch + CAPTION_PX;
  const across = Math.min(columns, names.length);
  const canvas = new Canvas(across * pitch + GAP_PX, rows * rowPitch + GAP_PX, PAGE);
  let decoded = 0;
  for (const [i, name] of names.entries()) {
    const x = GAP_PX + (i % columns) * pitch;
    const y = GAP_PX + Math.floor(i / columns) * rowPitch;
    if (await drawTile(canvas, join(folder, name), name, x, y, edge)) decoded++;
  }
  await writeFile(out, encodePng(canvas));
  process.stderr.write(`${out}: ${canvas.width}x${canvas.height} px, ${decoded} of ${names.length} files decoded\n`);
  return 0;
}
