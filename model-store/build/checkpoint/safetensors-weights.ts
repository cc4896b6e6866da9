/**
 * Weights in a safetensors file, each read when it is asked for. No I/O of its own: files come as `RandomAccessFile`.
 */

import type { RandomAccessFile } from '../../checkpoint-directory.ts';
import {
  parseSafetensorsHeader,
  SAFETENSORS_PREFIX_BYTES,
  safetensorsHeaderBytes,
  tensorToFloat32,
} from '../../safetensors.ts';
import type { LazyTensor } from './checkpoint.ts';

/**
 * All tensors of one file; they become float32 as they are read.
 * @throws ModelError `invalid_checkpoint`.
 */
export async function readSafetensorsWeights(file: RandomAccessFile): Promise<Map<string, LazyTensor>> {
  const prefix = await file.read(0, Math.min(SAFETENSORS_PREFIX_BYTES, file.size));
  const headerBytes = safetensorsHeaderBytes(prefix, file.size, file.name);
  const header = parseSafetensorsHeader(await file.read(SAFETENSORS_PREFIX_BYTES, headerBytes), file.size, file.name);
  const weights = new Map<string, LazyTensor>();
  for (const [name, { dtype, shape, offset, byteLength }] of header.entries) {
    const read = async () => tensorToFloat32({ dtype, shape, data: await file.read(offset, byteLength) });
    weights.set(name, { shape, read });
  }
  return weights;
}
