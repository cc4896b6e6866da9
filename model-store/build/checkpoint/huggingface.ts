/**
 * Hugging Face checkpoints: `config.json`, and `model.safetensors`, `pytorch_model.bin`, or the shards of either. No I/O
 * of its own.
 */
import { ModelError } from '../../../worker/errors.ts';
import { type CheckpointDirectory, readJsonFile } from '../../checkpoint-directory.ts';
import { parseBitConfig, readBitConfig } from '../../read-bit-config.ts';
import { type Checkpoint, type LazyTensor, loadCheckpoint } from './checkpoint.ts';
import { configOrigins, type ReadNetwork } from './provenance.ts';
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
    return (await fromHuggingFace(source.tensors, json, source.files.join(', '))).checkpoint;
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
): Promise<ReadNetwork> {
  const fields = requireConfig(json);
  const withoutPrefix = found.has('embedder.convolution.weight');
  const weights = withoutPrefix ? addPrefix(found) : found;
  const describe = (name: string): string => (withoutPrefix ? name.replace(/^bit\./, '') : name);
  const classifier = weights.get('classifier.1.weight') ?? weights.get('classifier.1.bias');
  const { config, warnings } = readBitConfig(fields, 'config.json', classifier?.shape[0] ?? 0);
  const named = 'id2label' in fields && fields.id2label !== null;
  const origins = configOrigins(config, (field) => {
    if (field === 'id2label' && !named)
      return { from: "HF's default names: config.json has no id2label", assumed: true };
    return { from: field in fields ? 'config.json' : 'default of BitConfig' };
  });
  const checkpoint = await loadCheckpoint(config, weights, file, describe);
  return { checkpoint, origins, warnings };
}

function requireConfig(json: unknown): object {
  if (typeof json === 'object' && json !== null) return json;
  throw new ModelError('invalid_model_config', json === null ? 'config.json is missing' : 'config.json: not an object');
}

/** A bare `BitModel` has no `bit.` before its names. */
function addPrefix(weights: ReadonlyMap<string, LazyTensor>): Map<string, LazyTensor> {
  return new Map([...weights].map(([name, tensor]) => [name.startsWith('classifier.') ? name : `bit.${name}`, tensor]));
}
