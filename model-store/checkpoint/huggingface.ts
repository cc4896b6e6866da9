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
  if (json === null) throw new ModelError('invalid_model_config', 'config.json is missing');
  const config = parseBitConfig(json);
  const found = await readShardedWeights(directory);
  if (found === null) {
    throw new ModelError('invalid_checkpoint', 'neither model.safetensors nor model.safetensors.index.json is there');
  }
  const withoutPrefix = found.weights.has('embedder.convolution.weight');
  const weights = withoutPrefix ? addPrefix(found.weights) : found.weights;
  const describe = (name: string): string => (withoutPrefix ? name.replace(/^bit\./, '') : name);
  const named = typeof json === 'object' && 'architectures' in json && json.architectures !== null;
  return makeCheckpoint(named ? config : headOf(config, weights), weights, found.files.join(', '), describe);
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
