/**
 * Finds out what kind of checkpoint a directory or file is, and reads it. No I/O of its own.
 */
import { ModelError } from '../../worker/errors.ts';
import type { Checkpoint, WeightTensor } from './checkpoint.ts';
import type { CheckpointDirectory, RandomAccessFile } from './checkpoint-directory.ts';
import { readGoogle } from './google.ts';
import { fromHuggingFace } from './huggingface.ts';
import { defaultPreprocessor, type PreprocessorJson, timmPreprocessor } from './preprocessor.ts';
import {
  readJsonFile,
  readShardedWeights,
  readWeights,
  SAFETENSORS_FILE,
  SAFETENSORS_INDEX_FILE,
} from './safetensors-weights.ts';
import { fromTimm, isTimm } from './timm.ts';

/** Names under which HF keeps a processor's options. */
export const PREPROCESSOR_FILES = ['preprocessor_config.json', 'processor_config.json'] as const;

/** Endings of files that are pickles, whole or inside a zip or tar. */
const PICKLE_ENDING = /\.(bin|pth|pt|pkl|pickle|ckpt|tar)$/i;

/** A checkpoint and what lay beside it. */
export interface FoundCheckpoint {
  readonly kind: 'huggingface' | 'timm' | 'google';
  readonly checkpoint: Checkpoint;
  /** The files that the weights came from. */
  readonly weightFiles: readonly string[];
  /** BitImageProcessor's options in HF's names. */
  readonly preprocessor: PreprocessorJson;
  /** Where they came from: a file, or the format's own default. */
  readonly preprocessorSource: string;
}

/**
 * Reads the checkpoint in a directory.
 * @param file the weights' file; null to look for one.
 * @throws ModelError `invalid_checkpoint` or `invalid_model_config`, naming the file and what is wrong with it.
 */
export async function readCheckpoint(directory: CheckpointDirectory, file: string | null): Promise<FoundCheckpoint> {
  const name = file ?? chooseWeightsFile(await directory.list());
  if (PICKLE_ENDING.test(name)) throw pickleRefused(name);
  if (name.endsWith('.npz')) {
    const checkpoint = await withFile(directory, name, readGoogle);
    const { preprocessor, source } = await readPreprocessor(directory, 'google', null);
    return { kind: 'google', checkpoint, weightFiles: [name], preprocessor, preprocessorSource: source };
  }
  if (!name.endsWith('.safetensors') && name !== SAFETENSORS_INDEX_FILE) {
    throw new ModelError('invalid_checkpoint', `${name}: not a checkpoint; supported: .safetensors, .npz`);
  }
  const json = await readJsonFile(directory, 'config.json');
  const { weights, files } = await readTensors(directory, name);
  const kind = isTimm(weights) ? 'timm' : 'huggingface';
  const label = files.join(', ');
  const checkpoint = kind === 'timm' ? fromTimm(weights, json, label) : fromHuggingFace(weights, json, label);
  const { preprocessor, source } = await readPreprocessor(directory, kind, json);
  return { kind, checkpoint, weightFiles: files, preprocessor, preprocessorSource: source };
}

/**
 * The weights' file among a directory's files.
 * @throws ModelError `invalid_checkpoint` where there is none, only a pickle, or more than one.
 */
export function chooseWeightsFile(names: readonly string[]): string {
  for (const name of [SAFETENSORS_FILE, SAFETENSORS_INDEX_FILE]) if (names.includes(name)) return name;
  const candidates = names.filter((name) => name.endsWith('.safetensors') || name.endsWith('.npz'));
  if (candidates.length === 1) return candidates[0]!;
  if (candidates.length > 1) {
    throw new ModelError(
      'invalid_checkpoint',
      `several checkpoints: ${candidates.sort().join(', ')}; name one of them`,
    );
  }
  const pickle = names.find((name) => PICKLE_ENDING.test(name));
  if (pickle !== undefined) throw pickleRefused(pickle);
  const seen = names.slice(0, 5).join(', ') || 'nothing';
  throw new ModelError('invalid_checkpoint', `no model.safetensors and no .npz here; there is ${seen}`);
}

async function readTensors(
  directory: CheckpointDirectory,
  name: string,
): Promise<{ weights: Map<string, WeightTensor>; files: readonly string[] }> {
  if (name === SAFETENSORS_INDEX_FILE || name === SAFETENSORS_FILE) {
    const found = await readShardedWeights(directory);
    if (found !== null) return found;
  }
  return { weights: await withFile(directory, name, readWeights), files: [name] };
}

async function readPreprocessor(
  directory: CheckpointDirectory,
  kind: FoundCheckpoint['kind'],
  json: unknown,
): Promise<{ preprocessor: PreprocessorJson; source: string }> {
  for (const name of PREPROCESSOR_FILES) {
    const found = await readJsonFile(directory, name);
    if (found === null) continue;
    if (typeof found !== 'object' || Array.isArray(found)) {
      throw new ModelError('invalid_model_config', `${name}: not an object`);
    }
    return { preprocessor: found as PreprocessorJson, source: name };
  }
  const fromTimmConfig = kind === 'timm' ? timmPreprocessor(json) : null;
  if (fromTimmConfig !== null) return { preprocessor: fromTimmConfig, source: 'config.json (pretrained_cfg)' };
  return { preprocessor: defaultPreprocessor(kind), source: `default of ${kind}` };
}

async function withFile<T>(
  directory: CheckpointDirectory,
  name: string,
  use: (file: RandomAccessFile) => Promise<T>,
): Promise<T> {
  const file = await directory.open(name);
  if (file === null) throw new ModelError('invalid_checkpoint', `${name}: not found`);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function pickleRefused(name: string): ModelError {
  return new ModelError(
    'invalid_checkpoint',
    `${name} is a Python pickle: loading one runs whatever code it holds, so it is refused. Use the model's safetensors, ` +
      'or convert it once where you trust it: ' +
      'python -c "import torch; from safetensors.torch import save_file; state = torch.load(\'' +
      `${name}', weights_only=True); save_file({k: v.contiguous() for k, v in state.items()}, 'model.safetensors')"`,
    { details: { file: name } },
  );
}
