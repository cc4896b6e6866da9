/**
 * Hugging Face checkpoints: `config.json`, and `model.safetensors` or its shards. No I/O of its own.
 */
import { ModelError } from '../../worker/errors.ts';
import { type BitConfig, parseBitConfig } from '../bit-config.ts';
import { type Checkpoint, makeCheckpoint, type WeightTensor } from './checkpoint.ts';
import type { CheckpointDirectory } from './checkpoint-directory.ts';
import { readJsonFile, readShardedWeights } from './safetensors-weights.ts';

/**
 * Reads a `BitForImageClassification`, `BitModel` or `BitBackbone` as `save_pretrained` leaves it.
 * @throws ModelError `invalid_model_config` or `invalid_checkpoint`, naming the file and the field or tensor.
 */
export async function readHuggingFace(directory: CheckpointDirectory): Promise<Checkpoint> {
  const json = await readJsonFile(directory, 'config.json');
  parseBitConfig(requireConfig(json));
  const found = await readShardedWeights(directory);
  if (found === null) {
    throw new ModelError('invalid_checkpoint', 'neither model.safetensors nor model.safetensors.index.json is there');
  }
  return fromHuggingFace(found.weights, json, found.files.join(', '));
}

/**
 * A checkpoint from weights in HF's names.
 * @param json config.json, parsed; null where there is none.
 * @param file the weights' file, for messages.
 * @throws ModelError `invalid_model_config` or `invalid_checkpoint`, naming the file and the field or tensor.
 */
export function fromHuggingFace(found: ReadonlyMap<string, WeightTensor>, json: unknown, file: string): Checkpoint {
  const fields = requireConfig(json);
  const config = parseBitConfig(fields);
  const withoutPrefix = found.has('embedder.convolution.weight');
  const weights = withoutPrefix ? addPrefix(found) : found;
  const describe = (name: string): string => (withoutPrefix ? name.replace(/^bit\./, '') : name);
  const namesArchitecture = 'architectures' in fields && fields.architectures !== null;
  return makeCheckpoint(namesArchitecture ? config : headOf(config, weights), weights, file, describe);
}

function requireConfig(json: unknown): object {
  if (typeof json === 'object' && json !== null) return json;
  throw new ModelError('invalid_model_config', json === null ? 'config.json is missing' : 'config.json: not an object');
}

/** A bare `BitModel` has no `bit.` before its names. */
function addPrefix(weights: ReadonlyMap<string, WeightTensor>): Map<string, WeightTensor> {
  return new Map([...weights].map(([name, tensor]) => [name.startsWith('classifier.') ? name : `bit.${name}`, tensor]));
}

/** Without `architectures` in the config, the weights tell whether there is a head: HF's default is two labels. */
function headOf(config: BitConfig, weights: ReadonlyMap<string, WeightTensor>): BitConfig {
  const hasHead = weights.has('classifier.1.weight') || weights.has('classifier.1.bias');
  return hasHead ? config : { ...config, numLabels: 0, labels: [] };
}
