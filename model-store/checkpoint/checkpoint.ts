/**
 * A checkpoint: a BitConfig and its float32 weights, whatever file it came from. Pure, no I/O.
 */
import { ModelError } from '../../worker/errors.ts';
import { weightShapes } from '../bit-architecture.ts';
import type { BitConfig } from '../bit-config.ts';

/** One weight: row-major float32. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A network: weights are named and laid out as in the state dict of HF's `BitForImageClassification` (OIHW). */
export interface Checkpoint {
  readonly config: BitConfig;
  readonly weights: ReadonlyMap<string, WeightTensor>;
}

/**
 * Makes a checkpoint, having checked that the weights are exactly those that the config names.
 * @param describe translates an HF weight name into the name in the source file, for messages.
 * @throws ModelError `invalid_checkpoint` naming the weight that is missing, superfluous, misshapen or not finite.
 */
export function makeCheckpoint(
  config: BitConfig,
  weights: ReadonlyMap<string, WeightTensor>,
  file: string,
  describe: (name: string) => string = (name) => name,
): Checkpoint {
  const shapes = weightShapes(config);
  for (const [name, shape] of shapes) {
    const tensor = weights.get(name);
    if (tensor === undefined) throw invalid(file, describe(name), `is missing; expected [${shape}]`);
    if (tensor.shape.join() !== shape.join()) {
      throw invalid(file, describe(name), `has shape [${tensor.shape}]; the config gives [${shape}]`);
    }
    if (!tensor.data.every(Number.isFinite)) throw invalid(file, describe(name), 'has values that are not finite');
  }
  for (const name of weights.keys()) {
    if (!shapes.has(name)) throw invalid(file, describe(name), 'is no part of the network that the config describes');
  }
  return { config, weights };
}

function invalid(file: string, tensor: string, problem: string): ModelError {
  return new ModelError('invalid_checkpoint', `${file}: tensor "${tensor}" ${problem}`, { details: { file, tensor } });
}
