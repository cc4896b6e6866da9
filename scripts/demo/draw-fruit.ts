/** Pictures to teach with, drawn: fruit of three kinds, no two alike, the same for the same seed. */
import { encodePng } from '../cli/files/write-png.ts';

/** The kinds. */
export const FRUIT = ['lemon', 'plum', 'watermelon'] as const;
export type Fruit = (typeof FRUIT)[number];

const SIZE = 128;

/** Skin, and how much longer than wide. */
const LOOKS: Readonly<Record<Fruit, { readonly rgb: readonly [number, number, number]; readonly stretch: number }>> = {
  lemon: { rgb: [246, 222, 70], stretch: 1.35 },
  plum: { rgb: [92, 38, 110], stretch: 1.08 },
  watermelon: { rgb: [70, 140, 60], stretch: 1.15 },
};

/** Draws a fruit on a table, as a PNG: place, size, turn, light and table differ by the seed. */
export function drawFruit(fruit: Fruit, seed: number): Uint8Array {
  const random = numbers(seed * 31 + FRUIT.indexOf(fruit) + 1);
  const { rgb, stretch } = LOOKS[fruit];
  const table = [60 + 120 * random(), 50 + 90 * random(), 40 + 80 * random()];
  const radius = 30 + 16 * random();
  const [x0, y0] = [50 + 28 * random(), 50 + 28 * random()];
  const turn = Math.PI * random();
  const [cosine, sine] = [Math.cos(turn), Math.sin(turn)];
  const light = 0.75 + 0.4 * random();
  const data = new Uint8Array(SIZE * SIZE * 3);
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const u = ((x - x0) * cosine + (y - y0) * sine) / (radius * stretch);
      const v = ((y - y0) * cosine - (x - x0) * sine) / radius;
      const inside = u * u + v * v < 1;
      const noise = 12 * (random() - 0.5);
      const shade = light * (0.55 + 0.6 * Math.max(0, 1 - ((u + 0.35) ** 2 + (v + 0.35) ** 2)));
      const stripe = fruit === 'watermelon' && Math.sin(9 * v + 1.5 * Math.sin(5 * u)) > 0.2 ? 0.55 : 1;
      for (let channel = 0; channel < 3; channel++) {
        const value = inside ? rgb[channel]! * shade * stripe : table[channel]! * (0.9 + 0.2 * (y / SIZE));
        data[(y * SIZE + x) * 3 + channel] = Math.max(0, Math.min(255, value + noise));
      }
    }
  }
  return encodePng({ width: SIZE, height: SIZE, data });
}

/** Numbers from 0 to 1 (mulberry32). */
function numbers(seed: number): () => number {
  let state = (seed * 0x9e3779b1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
