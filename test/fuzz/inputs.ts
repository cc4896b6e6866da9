/** Makes input number `index` of a run: a pure function of the seeds, the run's seed and the index. */
import type { ImageFormat } from '../../worker/imaging/image.ts';
import { mutateBmp } from './mutators/bmp.ts';
import { type Mutator, mutateBytes } from './mutators/bytes.ts';
import { mutateGif } from './mutators/gif.ts';
import { mutateJpeg } from './mutators/jpeg.ts';
import { mutatePng } from './mutators/png.ts';
import { mutateWebp } from './mutators/webp.ts';
import { Random } from './random.ts';

const MUTATORS: Readonly<Record<ImageFormat, Mutator>> = {
  jpeg: mutateJpeg,
  png: mutatePng,
  webp: mutateWebp,
  gif: mutateGif,
  bmp: mutateBmp,
};

/** Mutations never make an input larger than this. */
const MAX_INPUT_BYTES = 256 * 1024;

/** The random numbers of one input: those that make it, then those that choose how it is decoded. */
export function randomOf(seed: number, index: number): Random {
  return new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77));
}

/** One input: a seed with one to five mutations, structural ones more often than blind ones. */
export function makeInput(random: Random, format: ImageFormat, seeds: readonly Uint8Array[]): Uint8Array {
  let bytes = random.pick(seeds);
  const mutations = random.pick([1, 1, 1, 1, 2, 2, 3, 5]);
  for (let i = 0; i < mutations && bytes.length > 0; i++) {
    const mutate = random.chance(0.75) ? MUTATORS[format] : mutateBytes;
    bytes = mutate(random, bytes, random.pick(seeds));
  }
  return bytes.length > MAX_INPUT_BYTES ? bytes.slice(0, MAX_INPUT_BYTES) : bytes;
}
