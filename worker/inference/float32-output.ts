/** An output that must be float32: the one check of what a graph gave before its numbers are used. */
import { ModelError } from '../errors.ts';
import type { Tensor } from './inference-session.ts';

/** A float32 tensor. */
export type Float32Tensor = Extract<Tensor, { readonly type: 'float32' }>;

/** An output by its name. @throws ModelError `model_failed` if the graph did not give it as float32. */
export function float32Output(outputs: ReadonlyMap<string, Tensor>, name: string): Float32Tensor {
  const tensor = outputs.get(name);
  if (tensor?.type === 'float32') return tensor;
  throw new ModelError('model_failed', `the graph gave no float32 ${name}`);
}
