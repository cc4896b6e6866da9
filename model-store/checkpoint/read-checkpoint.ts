/**
 * Finds out what kind of checkpoint a directory or file is, and reads it. No I/O of its own.
 */
import { ModelError } from '../../worker/errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type CheckpointDirectory, readJsonFile } from './checkpoint-directory.ts';
import { readGoogle } from './google.ts';
import { fromHuggingFace } from './huggingface.ts';
import { defaultPreprocessor, type PreprocessorJson, timmPreprocessor } from './preprocessor.ts';
import { fromTimm, isTimm } from './timm.ts';
import { chooseWeightsFile, isWeightsFile, openWeights } from './weight-files.ts';

/** Names under which HF keeps a processor's options. */
export const PREPROCESSOR_FILES = ['preprocessor_config.json', 'processor_config.json'] as const;

/** A checkpoint and what lay beside it. */
export interface FoundCheckpoint {
  readonly kind: 'huggingface' | 'timm' | 'google';
  readonly checkpoint: Checkpoint;
  /** The files that the weights came from. */
  readonly weightFiles: readonly string[];
  /** What was taken off to get at them. */
  readonly notes: readonly string[];
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
  if (name.endsWith('.npz')) {
    const checkpoint = await readNpzCheckpoint(directory, name);
    const { preprocessor, source } = await readPreprocessor(directory, 'google', null);
    return { kind: 'google', checkpoint, weightFiles: [name], notes: [], preprocessor, preprocessorSource: source };
  }
  if (!isWeightsFile(name)) {
    throw new ModelError(
      'invalid_checkpoint',
      `${name}: not a checkpoint; supported: .safetensors, .bin, .pth, .pt, .npz`,
    );
  }
  const json = await readJsonFile(directory, 'config.json');
  const source = await openWeights(directory, name);
  try {
    const { tensors, files, notes } = source;
    const kind = isTimm([...tensors.keys()]) ? 'timm' : 'huggingface';
    const label = files.join(', ');
    const checkpoint = await (kind === 'timm' ? fromTimm : fromHuggingFace)(tensors, json, label);
    const { preprocessor, source: preprocessorSource } = await readPreprocessor(directory, kind, json);
    return { kind, checkpoint, weightFiles: files, notes, preprocessor, preprocessorSource };
  } finally {
    await source.close();
  }
}

async function readNpzCheckpoint(directory: CheckpointDirectory, name: string): Promise<Checkpoint> {
  const file = await directory.open(name);
  if (file === null) throw new ModelError('invalid_checkpoint', `${name}: not found`);
  try {
    return await readGoogle(file);
  } finally {
    await file.close();
  }
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
