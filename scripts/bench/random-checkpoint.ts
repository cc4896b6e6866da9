/** Networks with random weights: as fast and as large as trained ones. */
import { weightShapes } from '../../model-store/bit-architecture.ts';
import { type Checkpoint, makeCheckpoint, type WeightTensor } from '../../model-store/build/checkpoint/checkpoint.ts';
import { parseBitConfig } from '../../model-store/read-bit-config.ts';

/** BiT-R50x1 with 1000 labels, which is BitConfig's default; the same weights every time. */
export function randomR50x1(): Checkpoint {
  return randomBit([3, 4, 6, 3]);
}

/** BiT-R101x1, likewise. */
export function randomR101x1(): Checkpoint {
  return randomBit([3, 4, 23, 3]);
}

function randomBit(depths: readonly number[]): Checkpoint {
  const config = parseBitConfig({
    depths,
    id2label: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [i, `LABEL_${i}`])),
  });
  const weights = new Map<string, WeightTensor>();
  let state = 1;
  for (const [name, shape] of weightShapes(config)) {
    const data = new Float32Array(shape.reduce((product, dimension) => product * dimension, 1));
    const isNorm = shape.length === 1 && name.endsWith('.weight');
    for (let index = 0; index < data.length; index++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[index] = (isNorm ? 1 : 0) + (state / 2 ** 32 - 0.5) / 10;
    }
    weights.set(name, { shape, data });
  }
  return makeCheckpoint(config, weights, 'random');
}
