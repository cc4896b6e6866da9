import { expect, test } from 'vitest';
import type { OnnxModel } from '../../../../model-store/onnx/onnx-model.ts';
import { widenToFloat32 } from '../../../../model-store/onnx/widen.ts';

const cast = (name: string, to: number) =>
  ({
    name,
    opType: 'Cast',
    domain: '',
    inputs: ['x'],
    outputs: [name],
    attributes: { to: { kind: 'int', value: to } },
  }) as const;

/** Bytes of 1.5 and -6e-8 in float16, beginning at an odd byte. */
const HALVES = Uint8Array.of(0, 0x00, 0x3e, 0x01, 0x80).subarray(1);

const MODEL: OnnxModel = {
  producer: 'test',
  opsets: { '': 21 },
  graphName: 'g',
  inputs: [{ name: 'image', dtype: 'uint8', shape: ['batch'] }],
  outputs: [{ name: 'logits', dtype: 'float32', shape: ['batch'] }],
  nodes: [cast('a', 10), cast('b', 1), { ...cast('c', 10), opType: 'Relu' }],
  initializers: [
    { name: 'w', dtype: 'float16', shape: [2], data: HALVES },
    { name: 'shape', dtype: 'int64', shape: [1], data: new Uint8Array(8) },
  ],
};

test('float16 weights become the same values in float32, and casts to float16 casts to float32', () => {
  const { nodes, initializers } = widenToFloat32(MODEL)!;
  expect(nodes.map(({ attributes }) => attributes.to)).toEqual([1, 1, 10].map((value) => ({ kind: 'int', value })));
  const [weight, shape] = initializers;
  expect(weight).toMatchObject({ name: 'w', dtype: 'float32', shape: [2] });
  expect(new Float32Array(weight!.data.slice().buffer)).toEqual(Float32Array.of(1.5, -(2 ** -24)));
  expect(shape).toBe(MODEL.initializers[1]);
});

test('a float32 graph, and one whose input or output is float16, is left alone', () => {
  expect(widenToFloat32({ ...MODEL, initializers: MODEL.initializers.slice(1) })).toBeNull();
  expect(widenToFloat32({ ...MODEL, outputs: [{ name: 'logits', dtype: 'float16', shape: ['batch'] }] })).toBeNull();
});
