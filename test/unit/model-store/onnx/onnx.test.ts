import { describe, expect, test } from 'vitest';
import { decodeOnnxModel } from '../../../../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../../../../model-store/onnx/encode.ts';
import type { OnnxModel } from '../../../../model-store/onnx/onnx-model.ts';
import {
  floatValue,
  ProtobufWriter,
  readProtobuf,
  repeatedIntegers,
  signedInteger,
  stringValue,
} from '../../../../model-store/onnx/protobuf.ts';

describe('the protobuf wire format', () => {
  test('writes the examples of the format description', () => {
    // https://protobuf.dev/programming-guides/encoding/: field 1 = 150; field 2 = "testing"; field 3 = {field 1 = 150}.
    expect([...new ProtobufWriter().integer(1, 150).finish()]).toEqual([0x08, 0x96, 0x01]);
    const testing = [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67];
    expect([...new ProtobufWriter().string(2, 'testing').finish()]).toEqual(testing);
    const nested = new ProtobufWriter().message(3, new ProtobufWriter().integer(1, 150)).finish();
    expect([...nested]).toEqual([0x1a, 0x03, 0x08, 0x96, 0x01]);
  });

  test('reads packed and single repeated integers, negative ones too', () => {
    // The format's example of a packed field: field 6 = [3, 270, 86942].
    const packed = Uint8Array.of(0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05);
    expect([...readProtobuf(packed)].flatMap(repeatedIntegers)).toEqual([3, 270, 86942]);
    const single = new ProtobufWriter().integer(6, -1).integer(6, 5).finish();
    expect(single.byteLength).toBe(11 + 2);
    expect([...readProtobuf(single)].flatMap(repeatedIntegers)).toEqual([-1, 5]);
  });

  test('gives back every kind of value', () => {
    const bytes = new ProtobufWriter()
      .integer(1, -(2n ** 63n))
      .float(2, -0.15625)
      .string(3, 'é')
      .integer(2000, 7)
      .finish();
    const fields = [...readProtobuf(bytes)];
    expect(signedInteger(fields[0]!)).toBe(-(2 ** 63));
    expect(floatValue(fields[1]!)).toBe(-0.15625);
    expect(stringValue(fields[2]!)).toBe('é');
    expect(fields[3]).toMatchObject({ field: 2000, integer: 7n });
  });

  test.each([
    ['a varint without an end', [0x08, 0x80]],
    ['a length beyond the message', [0x12, 0x05, 0x61]],
    ['a group, which ONNX does not use', [0x0b]],
    ['eleven bytes of varint', [0x08, ...new Array<number>(11).fill(0x80)]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => [...readProtobuf(Uint8Array.from(bytes))]).toThrowError(
      expect.objectContaining({ code: 'model_corrupt' }),
    );
  });
});

const MODEL: OnnxModel = {
  producer: 'test',
  opsets: { '': 21, 'com.microsoft': 1 },
  graphName: 'graph',
  inputs: [{ name: 'x', dtype: 'uint8', shape: ['batch', 3, 4] }],
  outputs: [{ name: 'y', dtype: 'float32', shape: ['batch', 2] }],
  nodes: [
    {
      name: 'n',
      opType: 'Op',
      domain: 'com.microsoft',
      inputs: ['x', '', 'w'],
      outputs: ['y'],
      attributes: {
        axis: { kind: 'int', value: -1 },
        pads: { kind: 'ints', value: [0, 1, -2] },
        epsilon: { kind: 'float', value: 0.5 },
        mode: { kind: 'string', value: 'constant' },
      },
    },
  ],
  initializers: [
    { name: 'w', dtype: 'uint8', shape: [1000], data: Uint8Array.from({ length: 1000 }, (_, i) => i) },
    { name: 'v', dtype: 'int64', shape: [1], data: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) },
    { name: 'u', dtype: 'float32', shape: [10, 10], data: new Uint8Array(400).fill(7) },
  ],
};

describe('ONNX files', () => {
  test('give the same model back, with the weights inside', () => {
    const { model, weights } = encodeOnnxModel(MODEL, null);
    expect(weights).toBeNull();
    expect(decodeOnnxModel(model)).toEqual(MODEL);
  });

  test('give the same model back, with aligned weights outside and small ones inside', () => {
    const { model, weights } = encodeOnnxModel(MODEL, 'weights.bin');
    expect(weights!.byteLength).toBe(1024 + 400);
    expect(model.byteLength).toBeLessThan(500);
    expect(decodeOnnxModel(model, new Map([['weights.bin', weights!]]))).toEqual(MODEL);
    expect(() => decodeOnnxModel(model)).toThrow(/external file weights.bin is missing/);
    expect(() => decodeOnnxModel(model, new Map([['weights.bin', weights!.subarray(1)]]))).toThrow(/ends at byte 1424/);
  });

  test('refuse data that does not fit its shape, and bytes that are no model', () => {
    const initializers = [{ ...MODEL.initializers[0]!, shape: [999] }];
    expect(() => encodeOnnxModel({ ...MODEL, initializers }, null)).toThrow(/1000 bytes for \[999\]/);
    expect(() => decodeOnnxModel(new Uint8Array(0))).toThrow(/no graph/);
  });
});
