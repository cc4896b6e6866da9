import { describe, expect, test } from 'vitest';
import { RequestError } from '../../../worker/errors.ts';
import { readBinary } from '../../../worker/oip/binary-data.ts';
import { allocateData, DATATYPE_BYTES, type Datatype, makeTensor, type Tensor } from '../../../worker/oip/datatypes.ts';
import {
  decodeInferRequest,
  encodeInferRequest,
  reserveInferRequest,
  wantsBinary,
} from '../../../worker/oip/infer-request.ts';
import { decodeError, decodeInferResponse, encodeInferResponse } from '../../../worker/oip/infer-response.ts';
import { parseHeaderLength } from '../../../worker/oip/message.ts';
import { modelMetadataSchema, parseMetadata } from '../../../worker/oip/metadata.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** Two elements of every type, at its limits. */
const EXTREMES: readonly Tensor[] = [
  makeTensor('BOOL', 'BOOL', [2], Uint8Array.of(0, 1)),
  makeTensor('UINT8', 'UINT8', [2], Uint8Array.of(0, 255)),
  makeTensor('UINT16', 'UINT16', [2], Uint16Array.of(0, 65535)),
  makeTensor('UINT32', 'UINT32', [2], Uint32Array.of(0, 4294967295)),
  makeTensor('UINT64', 'UINT64', [2], BigUint64Array.of(0n, 9007199254740991n)),
  makeTensor('INT8', 'INT8', [2], Int8Array.of(-128, 127)),
  makeTensor('INT16', 'INT16', [2], Int16Array.of(-32768, 32767)),
  makeTensor('INT32', 'INT32', [2], Int32Array.of(-2147483648, 2147483647)),
  makeTensor('INT64', 'INT64', [2], BigInt64Array.of(-9007199254740991n, 9007199254740991n)),
  makeTensor('FP16', 'FP16', [2], Uint16Array.of(0xfbff, 0x0001)),
  makeTensor('FP32', 'FP32', [2], Float32Array.of(-3.4028234663852886e38, 1.1)),
  makeTensor('FP64', 'FP64', [2], Float64Array.of(-Number.MAX_VALUE, 1.1)),
  makeTensor('BYTES', 'BYTES', [2], [bytes(''), bytes('größe')]),
] as Tensor[];

describe('tensors', () => {
  test.each(EXTREMES.map((tensor) => [tensor.datatype, tensor] as const))(
    '%s survives JSON and binary',
    (_, tensor) => {
      for (const encoding of ['binary', 'json'] as const) {
        const { body, headerLength } = encodeInferRequest({ inputs: [tensor] }, encoding);
        expect(headerLength === null).toBe(encoding === 'json');
        expect(decodeInferRequest(body, headerLength).inputs).toEqual([tensor]);
      }
    },
  );

  test('64-bit integers beyond 2^53 travel in full as binary data, and as digits in JSON', () => {
    const tensor = makeTensor('x', 'UINT64', [1], BigUint64Array.of(18446744073709551615n)) as Tensor;
    const { body, headerLength } = encodeInferRequest({ inputs: [tensor] });
    expect(decodeInferRequest(body, headerLength).inputs).toEqual([tensor]);
    expect(new TextDecoder().decode(encodeInferRequest({ inputs: [tensor] }, 'json').body)).toContain(
      '[18446744073709551615]',
    );
  });

  test('nested arrays of the shape equal the flat array', () => {
    const decode = (data: string) =>
      decodeInferRequest(bytes(`{"inputs":[{"name":"x","shape":[2,1,2],"datatype":"INT8","data":${data}}]}`), null)
        .inputs;
    expect(decode('[[[1,2]],[[4,5]]]')).toEqual(decode('[1,2,4,5]'));
  });

  test.each([
    ['[[1,2],[4,5]]', 'depth 2'],
    ['[[[1,2]],[[4]]]', 'depth 3'],
    ['[[[1,2]]]', '1 entries at depth 1'],
    ['[[[1,2,5]],[[4]]]', 'uneven at depth 3'],
    ['[1,2,4]', '3 elements'],
    ['7', 'not an array'],
    ['[1,2,4,128]', 'element 3 is 128: no INT8'],
    ['[1,2,4,0.5]', 'element 3 is 0.5: no INT8'],
    ['[1,2,4,"5"]', 'element 3 is "5": no INT8'],
    ['[1,2,4,null]', 'element 3 is null: no INT8'],
  ])('data %s for shape [2,1,2] of INT8 is refused: %s', (data, message) => {
    const body = bytes(`{"inputs":[{"name":"x","shape":[2,1,2],"datatype":"INT8","data":${data}}]}`);
    expect(() => decodeInferRequest(body, null)).toThrow(message);
  });

  test.each([
    ['BOOL', '1'],
    ['UINT8', '256'],
    ['UINT8', '-1'],
    ['UINT64', '9007199254740993'],
    ['FP16', '65520'],
    ['FP32', '1e39'],
    ['BYTES', '7'],
    ['FP64', 'true'],
  ])('%s refuses %s', (datatype, element) => {
    const body = bytes(`{"inputs":[{"name":"x","shape":[1],"datatype":"${datatype}","data":[${element}]}]}`);
    expect(() => decodeInferRequest(body, null)).toThrow(`no ${datatype}`);
  });

  test('JSON refuses what it cannot carry', () => {
    const nan = makeTensor('y', 'FP32', [2], Float32Array.of(1, Number.NaN)) as Tensor;
    expect(() => encodeInferResponse({ modelName: 'm', outputs: [nan] }, () => false)).toThrow('element 1 is NaN');
    const invalid = makeTensor('y', 'BYTES', [1], [Uint8Array.of(0xff)]) as Tensor;
    expect(() => encodeInferResponse({ modelName: 'm', outputs: [invalid] }, () => false)).toThrow('not UTF-8');
  });

  test.each([
    [[-1], 'dimension -1'],
    [[1.5], 'dimension 1.5'],
    [[2 ** 27, 2 ** 27], 'too many'],
    [[3], 'needs 12'],
  ])('shape %j for 8 bytes of FP32 is refused', (shape, message) => {
    expect(() => readBinary('x', 'FP32', shape, new Uint8Array(8))).toThrow(message);
  });

  test('BYTES elements must fill their bytes exactly', () => {
    const two = Uint8Array.of(1, 0, 0, 0, 65, 0, 0, 0, 0);
    expect(readBinary('x', 'BYTES', [2], two).data).toEqual([Uint8Array.of(65), new Uint8Array(0)]);
    expect(() => readBinary('x', 'BYTES', [1], two)).toThrow('exactly 1');
    expect(() => readBinary('x', 'BYTES', [3], two)).toThrow('exactly 3');
    expect(() => readBinary('x', 'BYTES', [2], two.subarray(0, 8))).toThrow('runs past');
    expect(() => readBinary('x', 'BYTES', [1], Uint8Array.of(255, 255, 255, 255))).toThrow('runs past');
  });

  test('a view is taken where the bytes are aligned, a copy where not', () => {
    const buffer = new ArrayBuffer(24);
    new DataView(buffer).setFloat32(5, 1.5, true);
    const aligned = readBinary('x', 'FP32', [1], new Uint8Array(buffer, 4, 4));
    const shifted = readBinary('x', 'FP32', [1], new Uint8Array(buffer, 5, 4));
    expect(aligned.datatype === 'FP32' && aligned.data.buffer).toBe(buffer);
    expect(shifted.data).toEqual(Float32Array.of(1.5));
  });

  test('every allocated element has the size of its type', () => {
    for (const [datatype, size] of Object.entries(DATATYPE_BYTES) as [Datatype, number][]) {
      if (datatype !== 'BYTES') expect(allocateData(datatype, 3).byteLength).toBe(3 * size);
    }
  });
});

test('FP16 in JSON is the number that the bits stand for, and back', () => {
  const half = new Float16Array(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits).buffer);
  const tensor = makeTensor('x', 'FP16', [half.length], new Uint16Array(half.buffer)) as Tensor;
  const { body } = encodeInferRequest({ inputs: [tensor] }, 'json');
  const sent: unknown = JSON.parse(new TextDecoder().decode(body));
  expect(sent).toMatchObject({ inputs: [{ data: Array.from(half) }] });
  expect(decodeInferRequest(body, null).inputs).toEqual([tensor]);
});

describe('messages', () => {
  const image = makeTensor(
    'image',
    'UINT8',
    [1, 2, 2, 3],
    Uint8Array.from({ length: 12 }, (_, i) => i),
  ) as Tensor;
  const fields = { id: '42', parameters: { binary_data_output: true }, outputs: [{ name: 'logits' }] };

  test('a reserved request equals the encoded one once its bytes are written', () => {
    const whole = encodeInferRequest({ ...fields, inputs: [image] });
    const { message, data } = reserveInferRequest(fields, [{ name: 'image', datatype: 'UINT8', shape: [1, 2, 2, 3] }]);
    data[0]!.set(image.data as Uint8Array);
    expect(message).toEqual(whole);
    expect(data[0]!.byteOffset % 8).toBe(0);
  });

  test('binary_data overrides binary_data_output', () => {
    const outputs = [{ name: 'a', parameters: { binary_data: false } }, { name: 'b' }];
    expect(wantsBinary({ parameters: { binary_data_output: true }, outputs }, 'a')).toBe(false);
    expect(wantsBinary({ parameters: { binary_data_output: true }, outputs }, 'b')).toBe(true);
    expect(wantsBinary({ outputs }, 'b')).toBe(false);
    expect(wantsBinary({ outputs: [{ name: 'c', parameters: { binary_data: true } }] }, 'c')).toBe(true);
  });

  test('a response carries JSON and binary outputs side by side', () => {
    const logits = makeTensor('logits', 'FP32', [1, 2], Float32Array.of(0.5, -1)) as Tensor;
    const names = makeTensor('labels', 'BYTES', [1, 2], [bytes('cat'), bytes('dog')]) as Tensor;
    const response = { modelName: 'm', modelVersion: '3', id: '42', outputs: [logits, names] };
    const { body, headerLength } = encodeInferResponse(response, (name) => name === 'logits');
    expect(body.byteLength).toBe(headerLength! + 8);
    expect(decodeInferResponse(body, headerLength)).toEqual(response);
  });

  test.each([
    ['{"inputs":[]}', 'inputs'],
    ['{"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]}', 'give either'],
    ['{"inputs":[{"name":"x","shape":[1],"datatype":"FP8","data":[1]}]}', '"FP8" is not a data type'],
    ['{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"parameters":{"a":[]}}]}', 'parameters.a'],
    ['{"inputs":[{"name":"x","shape":"1","datatype":"FP32","data":[1]}]}', 'inputs.0.shape'],
    ['[1]', 'must be an object'],
    ['{', 'no JSON'],
    ['', 'no JSON'],
    [
      '{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[1]},{"name":"x","shape":[1],"datatype":"INT8","data":[1]}]}',
      'twice',
    ],
    [
      '{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[1]}],"outputs":[{"name":"y"},{"name":"y"}]}',
      'twice',
    ],
  ])('request %s is refused: %s', (text, message) => {
    expect(() => decodeInferRequest(bytes(text), null)).toThrow(RequestError);
    expect(() => decodeInferRequest(bytes(text), null)).toThrow(message);
  });

  test('lengths at n - 1, n and n + 1 bytes: only n is right', () => {
    const { body, headerLength } = encodeInferRequest({ inputs: [image] });
    expect(() => decodeInferRequest(body.subarray(0, -1), headerLength)).toThrow('11 of 11 binary bytes are left');
    expect(decodeInferRequest(body, headerLength).inputs).toHaveLength(1);
    const longer = new Uint8Array(body.byteLength + 1);
    longer.set(body);
    expect(() => decodeInferRequest(longer, headerLength)).toThrow('1 binary bytes belong to no tensor');
    expect(() => decodeInferRequest(body, body.byteLength + 1)).toThrow(`the body has ${body.byteLength} bytes`);
  });

  test.each(['-1', '1.5', 'x', '', '9999999999999999'])('header length %j is refused', (value) => {
    expect(() => parseHeaderLength(value)).toThrow('Inference-Header-Content-Length');
  });

  test('an absent header length means JSON alone', () => {
    expect([parseHeaderLength(undefined), parseHeaderLength(null), parseHeaderLength('17')]).toEqual([null, null, 17]);
  });

  test('error bodies and metadata', () => {
    expect([decodeError('{"error":"no"}'), decodeError('<html>'), decodeError('{}')]).toEqual(['no', null, null]);
    const text =
      '{"name":"m","platform":"onnxruntime_onnx","inputs":[{"name":"x","datatype":"UINT8","shape":[-1,3]}],"outputs":[]}';
    expect(parseMetadata('model', modelMetadataSchema, text).inputs[0]!.shape).toEqual([-1, 3]);
    expect(() => parseMetadata('model', modelMetadataSchema, text.replace('-1', '-2'))).toThrow('inputs.0.shape.0');
    expect(() => parseMetadata('model', modelMetadataSchema, '<html>')).toThrow('model: not JSON (6 characters)');
  });
});
