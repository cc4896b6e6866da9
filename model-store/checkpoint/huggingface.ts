/**
 * Hugging Face checkpoints: `config.json`, and `model.safetensors`, `pytorch_model.bin`, or the shards of either. No I/O
 * of its own.
 */
import { ModelError } from '../../worker/errors.ts';
import { type BitConfig, parseBitConfig } from '../bit-config.ts';
import { type Checkpoint, type LazyTensor, loadCheckpoint } from './checkpoint.ts';
import { type CheckpointDirectory, readJsonFile } from './checkpoint-directory.ts';
import { chooseWeightsFile, openWeights } from './weight-files.ts';

/**
 * Reads a `BitForImageClassification`, `BitModel` or `BitBackbone` as `save_pretrained` leaves it.
 * @throws ModelError `invalid_model_config` or `invalid_checkpoint`, naming the file and the field or tensor.
 */
export async function readHuggingFace(directory: CheckpointDirectory): Promise<Checkpoint> {
  const json = await readJsonFile(directory, 'config.json');
  parseBitConfig(requireConfig(json));
  const source = await openWeights(directory, chooseWeightsFile(await directory.list()));
  try {
    return await fromHuggingFace(source.tensors, json, source.files.join(', '));
  } finally {
    await source.close();
  }
}

/**
 * A checkpoint from weights in HF's names.
 * @param json config.json, parsed; null where there is none.
 * @param file the weights' file, for messages.
 * @throws ModelError `invalid_model_config` or `invalid_checkpoint`, naming the file and the field or tensor.
 */
export async function fromHuggingFace(
  found: ReadonlyMap<string, LazyTensor>,
  json: unknown,
  file: string,
): Promise<Checkpoint> {
  const fields = requireConfig(json);
  const config = parseBitConfig(fields);
  const withoutPrefix = found.has('embedder.convolution.weight');
  const weights = withoutPrefix ? addPrefix(found) : found;
  const describe = (name: string): string => (withoutPrefix ? name.replace(/^bit\./, '') : name);
  const namesArchitecture = 'architectures' in fields && fields.architectures !== null;
  return loadCheckpoint(namesArchitecture ? config : headOf(config, weights), weights, file, describe);
}

function requireConfig(json: unknown): object {
  if (typeof json === 'object' && json !== null) return json;
  throw new ModelError('invalid_model_config', json === null ? 'config.json is missing' : 'config.json: not an object');
}

/** A bare `BitModel` has no `bit.` before its names. */
function addPrefix(weights: ReadonlyMap<string, LazyTensor>): Map<string, LazyTensor> {
  return new Map([...weights].map(([name, tensor]) => [name.startsWith('classifier.') ? name : `bit.${name}`, tensor]));
}

/** Without `architectures` in the config, the weights tell whether there is a head: HF's default is two labels. */
function headOf(config: BitConfig, weights: ReadonlyMap<string, LazyTensor>): BitConfig {
  const hasHead = weights.has('classifier.1.weight') || weights.has('classifier.1.bias');
  return hasHead ? config : { ...config, numLabels: 0, labels: [] };
}
