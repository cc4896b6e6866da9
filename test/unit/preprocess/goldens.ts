/** What `scripts/goldens/preprocess.py` wrote, and the pictures that it computed. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Orientation } from '../../../worker/imaging/image.ts';

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly seed: number;
}

export interface ResizeGolden extends Picture {
  readonly resample: number;
  /** Width, height. */
  readonly target: readonly [number, number];
  readonly sha256: string;
}

export interface ProcessorGolden extends Picture {
  readonly orientation: Orientation;
  readonly config: Readonly<Record<string, unknown>>;
  readonly shape?: readonly number[];
  readonly sha256?: string;
  readonly error?: string;
}

export interface ScaledGolden extends Picture {
  readonly orientation: Orientation;
  readonly denominator: 2 | 4 | 8;
  readonly shortest_edge: number;
  readonly shape: readonly number[];
  readonly sha256: string;
}

export interface DraftGolden {
  /** A JPEG of `test/fixtures/images`. */
  readonly file: string;
  readonly shortest_edge: number;
  readonly denominator: number;
  readonly shape: readonly number[];
  readonly sha256: string;
}

interface Goldens {
  readonly resize: readonly ResizeGolden[];
  readonly processor: readonly ProcessorGolden[];
  readonly scaled: readonly ScaledGolden[];
  readonly draft: readonly DraftGolden[];
}

export const GOLDENS: Goldens = JSON.parse(
  readFileSync(new URL('../../fixtures/preprocess/goldens.json', import.meta.url), 'utf8'),
);

function mix(x: number, seed: number): number {
  let h = (Math.imul(x, 0x9e3779b1) + seed) >>> 0;
  h = (h ^ (h >>> 15)) >>> 0;
  h = Math.imul(h, 0x85ebca77) >>> 0;
  return (h ^ (h >>> 13)) >>> 0;
}

/** The script's `picture`: noise with black and white blocks; RGB8 `[height, width, 3]`. */
export function picture({ width, height, seed }: Picture): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const block = mix(Math.floor(y / 8) * 4096 + Math.floor(x / 8), seed);
      const flat = ((block >>> 1) & 1) * 255;
      for (let channel = 0; channel < 3; channel++, i++) data[i] = (block & 1) === 0 ? flat : mix(i, seed) & 255;
    }
  }
  return data;
}

/** SHA-256 of the bytes of a typed array, in hex. */
export function sha256(array: Uint8Array | Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex');
}
