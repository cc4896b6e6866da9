/** Decoding and preprocessing against jpeg-js, fast-png, pngjs and sharp (libvips, one thread). */
import { decode as decodeFastPng } from 'fast-png';
import jpegJs from 'jpeg-js';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { decodeImage } from '../../worker/imaging/decode.ts';
import { preprocessToRgb8 } from '../../worker/preprocess/preprocess.ts';
import { measurePeakMib } from './peak-memory.ts';
import { encodePhoto, makePhoto } from './photo.ts';
import { type BenchOptions, type BenchSuite, type Comparison, compare, type SideResult, tableOf } from './suite.ts';
import { THUMBNAIL_CONFIG, THUMBNAIL_PX } from './thumbnail.ts';

interface ImagingComparison extends Comparison {
  /** Names in the summary, by name of the side that ours is divided by. */
  readonly ratioNames: Readonly<Record<string, string>>;
}

function jpegJsSide(bytes: Buffer): { name: string; run(): unknown } {
  const options = { useTArray: true, formatAsRGBA: false, maxMemoryUsageInMB: 4096 } as const;
  return { name: 'jpeg-js decode', run: () => jpegJs.decode(bytes, options) };
}

function sharpDecode(bytes: Buffer): Promise<Buffer> {
  return sharp(bytes).removeAlpha().raw().toBuffer();
}

function thumbnail(name: string, bytes: Buffer, ratioNames: ImagingComparison['ratioNames']): ImagingComparison {
  return {
    name,
    ratioNames,
    sides: [
      { name: 'bit-edge, scaled decode', run: () => preprocessToRgb8(bytes, THUMBNAIL_CONFIG) },
      jpegJsSide(bytes),
      {
        name: 'sharp, shrink on load',
        run: () => sharp(bytes).resize(THUMBNAIL_PX, THUMBNAIL_PX, { kernel: 'cubic' }).raw().toBuffer(),
      },
      { name: 'bit-edge, exact', run: () => preprocessToRgb8(bytes, THUMBNAIL_CONFIG, { exact: true }) },
    ],
  };
}

async function comparisons(): Promise<readonly ImagingComparison[]> {
  const large = await makePhoto(4032, 3024);
  const small = await makePhoto(1280, 960);
  const jpeg12 = await encodePhoto(large, 'jpeg');
  const jpeg12Progressive = await encodePhoto(large, 'jpeg-progressive');
  const jpeg1 = await encodePhoto(small, 'jpeg');
  const png1 = await encodePhoto(small, 'png');
  const webp1 = await encodePhoto(small, 'webp');
  const mb = (bytes: Buffer): string => `${(bytes.length / 1e6).toFixed(2)} MB`;
  return [
    thumbnail(`12.2 MP JPEG 4:2:0, baseline, ${mb(jpeg12)}, to ${THUMBNAIL_PX} px`, jpeg12, {
      'jpeg-js decode': 'jpeg12mp_vs_jpegjs',
      'sharp, shrink on load': 'jpeg12mp_vs_sharp',
    }),
    thumbnail(`12.2 MP JPEG 4:2:0, progressive, ${mb(jpeg12Progressive)}, to ${THUMBNAIL_PX} px`, jpeg12Progressive, {
      'jpeg-js decode': 'jpeg12mp_progressive_vs_jpegjs',
      'sharp, shrink on load': 'jpeg12mp_progressive_vs_sharp',
    }),
    {
      name: `1.2 MP JPEG 4:2:0, ${mb(jpeg1)}, all pixels`,
      ratioNames: { 'jpeg-js decode': 'jpeg1mp_vs_jpegjs', 'sharp decode': 'jpeg1mp_vs_sharp' },
      sides: [
        { name: 'bit-edge', run: () => decodeImage(jpeg1) },
        jpegJsSide(jpeg1),
        { name: 'sharp decode', run: () => sharpDecode(jpeg1) },
      ],
    },
    {
      name: `1.2 MP PNG, 8-bit RGB, ${mb(png1)}`,
      ratioNames: { 'fast-png': 'png1mp_vs_fastpng', pngjs: 'png1mp_vs_pngjs', 'sharp decode': 'png1mp_vs_sharp' },
      sides: [
        { name: 'bit-edge', run: () => decodeImage(png1) },
        { name: 'fast-png', run: () => decodeFastPng(png1) },
        { name: 'pngjs', run: () => PNG.sync.read(png1) },
        { name: 'sharp decode', run: () => sharpDecode(png1) },
      ],
    },
    {
      name: `1.2 MP WebP, lossy, ${mb(webp1)}`,
      ratioNames: { 'sharp decode': 'webp1mp_vs_sharp' },
      sides: [
        { name: 'bit-edge', run: () => decodeImage(webp1) },
        { name: 'sharp decode', run: () => sharpDecode(webp1) },
      ],
    },
  ];
}

/** The ratios that the summary names, of wall times or of processor times. */
function ratiosOf(
  comparison: ImagingComparison,
  results: readonly SideResult[],
  kind: 'ratio' | 'cpuRatio',
): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const result of results) {
    const key = comparison.ratioNames[result.name];
    if (key !== undefined) ratios[key] = Number(result[kind].toFixed(4));
  }
  return ratios;
}

/** Keys of the summary, and the photo's encoding. */
const MEMORY_RUNS = [
  ['peak_mib_jpeg12mp', 'jpeg'],
  ['peak_mib_jpeg12mp_progressive', 'jpeg-progressive'],
] as const;

async function run({ runs, only, print }: BenchOptions): Promise<Readonly<Record<string, unknown>>> {
  sharp.cache(false);
  sharp.concurrency(1);
  const ratios: Record<string, number> = {};
  const cpuRatios: Record<string, number> = {};
  for (const comparison of await comparisons()) {
    if (!comparison.name.includes(only)) continue;
    const results = await compare(comparison, runs);
    for (const line of tableOf(comparison, results)) print(line);
    Object.assign(ratios, ratiosOf(comparison, results, 'ratio'));
    Object.assign(cpuRatios, ratiosOf(comparison, results, 'cpuRatio'));
  }
  const peaks: Record<string, number> = {};
  for (const [name, format] of MEMORY_RUNS) {
    if (!`peak memory, ${format}`.includes(only)) continue;
    const mib = await measurePeakMib(format);
    print(`peak memory, ${format}: ${mib.toFixed(1)} MiB above the input, 12.2 MP to ${THUMBNAIL_PX} px`);
    peaks[name] = Number(mib.toFixed(2));
  }
  return { ratios, cpu_ratios: cpuRatios, ...peaks };
}

/** `npm run bench -- imaging`. */
export const IMAGING_SUITE: BenchSuite = { run };
