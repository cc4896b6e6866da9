/** Whether a constant holds what the network says of it. Pure. */
import { ModelError } from '../../errors.ts';
import type { NetworkTensor } from './network.ts';

/**
 * Checks the bytes of a constant.
 * @param bytes all of it, at any alignment.
 * @throws ModelError `model_corrupt`, with the first number that is wrong.
 */
export function checkContents({ name, contents }: NetworkTensor, bytes: Uint8Array): void {
  if (contents === null) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.byteLength / 4;
  const fail = (index: number, expected: string): never => {
    throw new ModelError('model_corrupt', `constant "${name}": number ${index} of ${count} is not ${expected}`);
  };
  if (contents.kind === 'same') {
    const values = contents.values();
    const expected = new DataView(values.buffer);
    for (let i = 0; i < count; i++) {
      if (view.getInt32(4 * i, true) !== expected.getInt32(4 * i, true)) fail(i, `${values[i]}`);
    }
    return;
  }
  const least = contents.kind === 'positive' ? 0 : Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const value = view.getFloat32(4 * i, true);
    if (!Number.isFinite(value) || value < least) fail(i, 'a number that it may be');
  }
  if (contents.kind !== 'repeated') return;
  const { period } = contents;
  for (let i = period; i < count; i++) {
    if (view.getInt32(4 * i, true) !== view.getInt32(4 * (i - period), true)) fail(i, `number ${i - period} again`);
  }
}
