/**
 * Finds out what kind of checkpoint a directory or file is, and reads it. No I/O of its own.
 */
import { ModelError } from '../../../worker/errors.ts';
import { type CheckpointDirectory, readJsonFile } from '../../checkpoint-directory.ts';
import { fromBigTransfer, isBigTransfer } from './big-transfer.ts';
import type { Checkpoint } from './checkpoint.ts';
import { readGoogle } from './google.ts';
import { fromHuggingFace } from './huggingface.ts';
import {
  assumedPreprocessor,
  type FoundPreprocessor,
  huggingFacePreprocessor,
  type PreprocessorJson,
  timmPreprocessor,
} from './preprocessor.ts';
import type { Origin, ReadNetwork } from './provenance.ts';
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
  /** Where the network's fields came from, and the processor's. */
  readonly origins: readonly Origin[];
  readonly preprocessorOrigins: readonly Origin[];
  /** What was ignored or made up. */
  readonly warnings: readonly string[];
}

/**
 * Reads the checkpoint in a directory.
 * @param file the weights' file; null to look for one.
 * @throws ModelError `invalid_checkpoint` or `invalid_model_config`, naming the file and what is wrong with it.
 */
export async function readCheckpoint(directory: CheckpointDirectory, file: string | null): Promise<FoundCheckpoint> {
  const name = file ?? chooseWeightsFile(await directory.list());
  if (name.endsWith('.npz')) {
    const network = await readNpzCheckpoint(directory, name);
    return found('google', network, [name], [], await readPreprocessor(directory, 'google', null));
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
    const kind = kindOf([...tensors.keys()]);
    const network = await READERS[kind](tensors, json, files.join(', '));
    return found(kind, network, files, notes, await readPreprocessor(directory, kind, json));
  } finally {
    await source.close();
  }
}

/** By the names of their tensors. */
const READERS = { timm: fromTimm, google: fromBigTransfer, huggingface: fromHuggingFace } as const;

function kindOf(names: readonly string[]): FoundCheckpoint['kind'] {
  if (isTimm(names)) return 'timm';
  return isBigTransfer(names) ? 'google' : 'huggingface';
}

function found(
  kind: FoundCheckpoint['kind'],
  { checkpoint, origins, warnings }: ReadNetwork,
  weightFiles: readonly string[],
  notes: readonly string[],
  { preprocessor, source: preprocessorSource, origins: preprocessorOrigins }: FoundPreprocessor,
): FoundCheckpoint {
  const network = { kind, checkpoint, weightFiles, notes, origins, warnings };
  return { ...network, preprocessor, preprocessorSource, preprocessorOrigins };
}

async function readNpzCheckpoint(directory: CheckpointDirectory, name: string): Promise<ReadNetwork> {
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
): Promise<FoundPreprocessor> {
  for (const name of PREPROCESSOR_FILES) {
    const file = await readJsonFile(directory, name);
    if (file !== null) return huggingFacePreprocessor(file, name);
  }
  return (kind === 'timm' ? timmPreprocessor(json) : null) ?? assumedPreprocessor(kind);
}
