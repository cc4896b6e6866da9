/**
 * The files that a checkpoint's weights are in, safetensors or pickles of torch, whole or in shards. No I/O of its own.
 */
import { ModelError } from '../../../worker/errors.ts';
import { type CheckpointDirectory, type RandomAccessFile, readJsonFile } from '../../checkpoint-directory.ts';
import type { LazyTensor } from './checkpoint.ts';
import { readSafetensorsWeights } from './safetensors-weights.ts';
import { readTorchWeights } from './torch/torch-weights.ts';

/** Names of HF's weights files, and of the indices that replace them where the weights are in shards; the first that is there is read. */
export const SAFETENSORS_FILE = 'model.safetensors';
export const SAFETENSORS_INDEX_FILE = 'model.safetensors.index.json';
export const PYTORCH_FILE = 'pytorch_model.bin';
export const PYTORCH_INDEX_FILE = 'pytorch_model.bin.index.json';
const KNOWN_FILES = [SAFETENSORS_FILE, SAFETENSORS_INDEX_FILE, PYTORCH_FILE, PYTORCH_INDEX_FILE];

/** Endings of files that `torch.save` writes. */
const TORCH_ENDING = /\.(bin|pth|pt|ckpt|pth\.tar)$/i;

/** What trainers leave beside the weights. */
const NO_WEIGHTS = /^(training_args|optimizer|scheduler|scaler|rng_state|random_states)[\w.-]*$/i;

/** What training wrappers put before every name: DistributedDataParallel, torch.compile, Lightning. */
const WRAPPER_PREFIXES = ['module.', '_orig_mod.', 'model.'];

/** The weights of one checkpoint, not read. */
export interface WeightSource {
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  /** The files that they are in. */
  readonly files: readonly string[];
  /** What was taken off to get at them, for the report. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** Whether a name is that of a file, or index, that `openWeights` opens. */
export function isWeightsFile(name: string): boolean {
  return KNOWN_FILES.includes(name) || name.endsWith('.safetensors') || TORCH_ENDING.test(name);
}

/**
 * The weights' file among a directory's files.
 * @throws ModelError `invalid_checkpoint` where there is none, or more than one.
 */
export function chooseWeightsFile(names: readonly string[]): string {
  for (const name of KNOWN_FILES) if (names.includes(name)) return name;
  const candidates = names.filter((name) => (isWeightsFile(name) || name.endsWith('.npz')) && !NO_WEIGHTS.test(name));
  if (candidates.length === 1) return candidates[0]!;
  if (candidates.length > 1) {
    throw invalid(`several checkpoints: ${candidates.sort().join(', ')}; name one of them`);
  }
  const seen = names.slice(0, 5).join(', ') || 'nothing';
  throw invalid(`neither ${KNOWN_FILES.join(', ')} nor another .safetensors, .bin, .pth, .pt, .npz; there is ${seen}`);
}

/**
 * Opens the weights in a file, or in the shards that an index names.
 * @throws ModelError `invalid_checkpoint` where a file is missing or broken, or the index and the shards disagree.
 */
export async function openWeights(directory: CheckpointDirectory, name: string): Promise<WeightSource> {
  const open: RandomAccessFile[] = [];
  const close = async () => {
    for (const file of open) await file.close();
  };
  try {
    const notes: string[] = [];
    const isIndex = name.endsWith('.index.json');
    const weightMap = isIndex ? await readIndex(directory, name) : null;
    const files = weightMap === null ? [name] : [...new Set(weightMap.values())].sort();
    const tensors = new Map<string, LazyTensor>();
    for (const path of files) {
      const file = await directory.open(path);
      if (file === null) throw invalid(isIndex ? `${name} names ${path}, which is not there` : `${path}: not found`);
      open.push(file);
      for (const [tensorName, tensor] of await readTensors(file, notes)) {
        if (weightMap !== null && weightMap.get(tensorName) !== path) {
          throw invalid(`${path}: tensor "${tensorName}" is not there according to ${name}`);
        }
        tensors.set(tensorName, tensor);
      }
    }
    for (const [tensorName, path] of weightMap ?? []) {
      if (!tensors.has(tensorName)) throw invalid(`${path}: tensor "${tensorName}" is missing, ${name} names it`);
    }
    return { tensors: withoutPrefix(tensors, notes), files, notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readTensors(file: RandomAccessFile, notes: string[]): Promise<ReadonlyMap<string, LazyTensor>> {
  if (file.name.endsWith('.safetensors')) return readSafetensorsWeights(file);
  const { tensors, wrapper } = await readTorchWeights(file);
  if (wrapper !== null) notes.push(`${file.name}: the weights are its "${wrapper}"`);
  return tensors;
}

/** Names without what a training wrapper put before all of them. */
function withoutPrefix(tensors: ReadonlyMap<string, LazyTensor>, notes: string[]): ReadonlyMap<string, LazyTensor> {
  let current = tensors;
  for (;;) {
    const names = [...current.keys()];
    const prefix = WRAPPER_PREFIXES.find((each) => names.length > 0 && names.every((name) => name.startsWith(each)));
    if (prefix === undefined) return current;
    notes.push(`names without the prefix "${prefix}"`);
    current = new Map([...current].map(([name, tensor]) => [name.slice(prefix.length), tensor]));
  }
}

async function readIndex(directory: CheckpointDirectory, name: string): Promise<Map<string, string>> {
  const json = await readJsonFile(directory, name);
  if (json === null) throw invalid(`${name}: not found`);
  const map = typeof json === 'object' && 'weight_map' in json ? json.weight_map : null;
  if (typeof map !== 'object' || map === null) throw invalid(`${name}: weight_map is missing`);
  return new Map(
    Object.entries(map).map(([tensor, shard]) => {
      if (typeof shard !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(shard) || !isWeightsFile(shard)) {
        throw invalid(`${name}: weight_map.${tensor}: ${JSON.stringify(shard)} is not a file name of weights`);
      }
      return [tensor, shard];
    }),
  );
}

function invalid(message: string): ModelError {
  return new ModelError('invalid_checkpoint', message);
}
