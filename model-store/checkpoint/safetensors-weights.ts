/**
 * Weights out of safetensors files, tensor by tensor. No I/O of its own: files come as `RandomAccessFile`.
 */
import { ModelError } from '../../worker/errors.ts';
import {
  parseSafetensorsHeader,
  SAFETENSORS_PREFIX_BYTES,
  safetensorsHeaderBytes,
  tensorToFloat32,
} from '../safetensors.ts';
import type { WeightTensor } from './checkpoint.ts';
import type { CheckpointDirectory, RandomAccessFile } from './checkpoint-directory.ts';

/** Name of HF's weights file, and of the index that replaces it where the weights are in shards. */
export const SAFETENSORS_FILE = 'model.safetensors';
export const SAFETENSORS_INDEX_FILE = 'model.safetensors.index.json';

/**
 * All tensors of one file, as float32.
 * @throws ModelError `invalid_checkpoint`.
 */
export async function readWeights(file: RandomAccessFile): Promise<Map<string, WeightTensor>> {
  const prefix = await file.read(0, Math.min(SAFETENSORS_PREFIX_BYTES, file.size));
  const headerBytes = safetensorsHeaderBytes(prefix, file.size, file.name);
  const header = parseSafetensorsHeader(await file.read(SAFETENSORS_PREFIX_BYTES, headerBytes), file.size, file.name);
  const weights = new Map<string, WeightTensor>();
  for (const [name, { dtype, shape, offset, byteLength }] of header.entries) {
    const data = await file.read(offset, byteLength);
    weights.set(name, { shape, data: tensorToFloat32({ dtype, shape, data }) });
  }
  return weights;
}

/**
 * All tensors of `model.safetensors`, or of the shards that `model.safetensors.index.json` names.
 * @returns the tensors, and the files they came from; null where the directory has neither.
 * @throws ModelError `invalid_checkpoint` where a shard is missing, or the index and the shards disagree.
 */
export async function readShardedWeights(
  directory: CheckpointDirectory,
): Promise<{ weights: Map<string, WeightTensor>; files: readonly string[] } | null> {
  const single = await directory.open(SAFETENSORS_FILE);
  if (single !== null) {
    return { weights: await readAndClose(single), files: [SAFETENSORS_FILE] };
  }
  const index = await directory.open(SAFETENSORS_INDEX_FILE);
  if (index === null) return null;
  const weightMap = await readIndex(index);
  const files = [...new Set(weightMap.values())].sort();
  const weights = new Map<string, WeightTensor>();
  for (const name of files) {
    const shard = await directory.open(name);
    if (shard === null) throw invalid(`${SAFETENSORS_INDEX_FILE} names ${name}, which is not there`);
    for (const [tensorName, tensor] of await readAndClose(shard)) {
      if (weightMap.get(tensorName) !== name) {
        throw invalid(`${name}: tensor "${tensorName}" is not there according to ${SAFETENSORS_INDEX_FILE}`);
      }
      weights.set(tensorName, tensor);
    }
  }
  for (const [tensorName, name] of weightMap) {
    if (!weights.has(tensorName))
      throw invalid(`${name}: tensor "${tensorName}" is missing, ${SAFETENSORS_INDEX_FILE} names it`);
  }
  return { weights, files };
}

/** Reads a small text file of a checkpoint, as JSON. Null where there is none. */
export async function readJsonFile(directory: CheckpointDirectory, name: string): Promise<unknown> {
  const file = await directory.open(name);
  return file === null ? null : parseJsonAndClose(file);
}

async function readAndClose(file: RandomAccessFile): Promise<Map<string, WeightTensor>> {
  try {
    return await readWeights(file);
  } finally {
    await file.close();
  }
}

async function parseJsonAndClose(file: RandomAccessFile): Promise<unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(await file.read(0, file.size)));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ModelError('invalid_checkpoint', `${file.name}: not JSON (${file.size} bytes)`, { cause });
  } finally {
    await file.close();
  }
}

async function readIndex(file: RandomAccessFile): Promise<Map<string, string>> {
  const json = await parseJsonAndClose(file);
  const map = typeof json === 'object' && json !== null && 'weight_map' in json ? json.weight_map : null;
  if (typeof map !== 'object' || map === null) throw invalid(`${file.name}: weight_map is missing`);
  return new Map(
    Object.entries(map).map(([tensor, shard]) => {
      if (typeof shard !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(shard)) {
        throw invalid(`${file.name}: weight_map.${tensor}: ${JSON.stringify(shard)} is no file name`);
      }
      return [tensor, shard];
    }),
  );
}

function invalid(message: string): ModelError {
  return new ModelError('invalid_checkpoint', message);
}
