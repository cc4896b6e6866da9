import { expect, test } from 'vitest';
import {
  checkpointOrder,
  groupMinorOrder,
  reorder,
  reorderKernel,
} from '../../../../../model-store/build/quantize/channel-order.ts';

test('channels that have the same place in their groups lie side by side', () => {
  expect(Array.from(groupMinorOrder(6, 2))).toEqual([0, 3, 1, 4, 2, 5]);
  expect(Array.from(groupMinorOrder(6, 3))).toEqual([0, 2, 4, 1, 3, 5]);
  expect(groupMinorOrder(6, 1)).toEqual(checkpointOrder(6));
  expect(groupMinorOrder(6, 6)).toEqual(checkpointOrder(6));
});

test('values and kernels follow their channels', () => {
  const order = groupMinorOrder(4, 2);
  expect(Array.from(reorder(Float32Array.of(10, 11, 12, 13), order))).toEqual([10, 12, 11, 13]);
  // Outputs 0 to 3, inputs 0 and 1, taps 0 and 1, as three digits.
  const kernel = Uint8Array.of(0, 1, 10, 11, 100, 101, 110, 111, 200, 201, 210, 211, 30, 31, 40, 41);
  expect(Array.from(reorderKernel(kernel, order, Uint32Array.of(1, 0)))).toEqual([
    10, 11, 0, 1, 210, 211, 200, 201, 110, 111, 100, 101, 40, 41, 30, 31,
  ]);
});
