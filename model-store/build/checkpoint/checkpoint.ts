/**
 * A checkpoint: a BitConfig and its float32 weights, whatever file it came from. Pure, no I/O.
 */
import { ModelError } from '../../../worker/errors.ts';
import { weightShapes } from '../../bit-architecture.ts';
import type { BitConfig } from '../../bit-config.ts';

/** One weight: row-major float32. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A weight that has not been read. */
export interface LazyTensor {
  readonly shape: readonly number[];
  /** Its elements, row-major. @throws ModelError `invalid_checkpoint` where the file does not have them. */
  read(): Promise<Float32Array>;
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
  checkShapes(config, weights, file, describe);
  for (const [name, { data }] of weights) checkFinite(data, file, describe(name));
  return { config, weights };
}

/**
 * The same from weights that have not been read: names and shapes are checked before anything is.
 * @throws ModelError `invalid_checkpoint` as `makeCheckpoint` does, and what reading throws.
 */
export async function loadCheckpoint(
  config: BitConfig,
  tensors: ReadonlyMap<string, LazyTensor>,
  file: string,
  describe: (name: string) => string = (name) => name,
): Promise<Checkpoint> {
  checkShapes(config, tensors, file, describe);
  const weights = new Map<string, WeightTensor>();
  for (const [name, tensor] of tensors) {
    const data = await tensor.read();
    checkFinite(data, file, describe(name));
    weights.set(name, { shape: tensor.shape, data });
  }
  return { config, weights };
}

function checkShapes(
  config: BitConfig,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  file: string,
  describe: (name: string) => string,
): void {
  const shapes = weightShapes(config);
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw invalid(file, describe(name), `is missing; expected [${shape}]`);
    if (tensor.shape.join() !== shape.join()) {
      throw invalid(file, describe(name), `has shape [${tensor.shape}]; the config gives [${shape}]`);
    }
  }
  for (const name of tensors.keys()) {
    if (!shapes.has(name)) throw invalid(file, describe(name), 'is not part of the network that the config describes');
  }
}

function checkFinite(data: Float32Array, file: string, tensor: string): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw invalid(file, tensor, 'has values that are not finite');
  }
}

function invalid(file: string, tensor: string, problem: string): ModelError {
  return new ModelError('invalid_checkpoint', `${file}: tensor "${tensor}" ${problem}`, { details: { file, tensor } });
}
