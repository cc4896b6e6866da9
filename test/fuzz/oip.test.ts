/** Damaged protocol messages: a typed error or an answer, never anything else, and never memory that the message does not pay for. */
import { expect, test } from 'vitest';
import { RequestError } from '../../worker/errors.ts';
import { makeTensor, type Tensor } from '../../worker/oip/datatypes.ts';
import { decodeInferRequest, encodeInferRequest } from '../../worker/oip/infer-request.ts';
import { decodeInferResponse, encodeInferResponse } from '../../worker/oip/infer-response.ts';
import type { Message } from '../../worker/oip/message.ts';

const ROUNDS = 20_000;

/** A generator of whole numbers below `limit`, the same for the same seed. */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const text = new TextEncoder();
const TENSORS = [
  makeTensor('image', 'UINT8', [2, 1, 1, 3], Uint8Array.of(1, 2, 3, 4, 5, 6)),
  makeTensor('count', 'INT64', [2], BigInt64Array.of(-1n, 9n)),
  makeTensor('half', 'FP16', [1, 2], Uint16Array.of(0x3c00, 0xc000)),
  makeTensor('flag', 'BOOL', [2], Uint8Array.of(0, 1)),
  makeTensor('name', 'BYTES', [2], [text.encode('a'), text.encode('bcd')]),
] as Tensor[];

/** Pieces that a damaged header may get in place of one of its own. */
const PIECES = [
  '-1',
  '1e300',
  '9007199254740993',
  '[]',
  '{}',
  'null',
  '""',
  '[[[[[[1]]]]]]',
  '18446744073709551616',
  '0.5',
  '"FP32"',
];

function damage({ body, headerLength }: Message, random: (limit: number) => number): [Uint8Array, number | null] {
  const kind = random(4);
  if (kind === 0) {
    const copy = body.slice();
    for (let i = 0; i <= random(4); i++) copy[random(copy.length)] = random(256);
    return [copy, headerLength];
  }
  if (kind === 1) return [body.slice(0, random(body.length)), headerLength];
  if (kind === 2) return [body, headerLength === null ? random(2 * body.length) : headerLength + random(33) - 16];
  const length = headerLength ?? body.length;
  const tokens = new TextDecoder().decode(body.subarray(0, length)).split(/("[^"]*"|-?\d+(?:\.\d+)?|true|false)/);
  tokens[1 + 2 * random((tokens.length - 1) / 2)] = PIECES[random(PIECES.length)]!;
  const header = text.encode(tokens.join(''));
  return [Buffer.concat([header, body.subarray(length)]), headerLength === null ? null : header.length];
}

const fields = {
  id: '1',
  parameters: { binary_data_output: true },
  outputs: [{ name: 'logits', parameters: { binary_data: true } }],
};

test.each<
  [
    string,
    readonly Message[],
    (body: Uint8Array, headerLength: number | null) => { inputs?: unknown; outputs?: unknown },
  ]
>([
  [
    'requests',
    [encodeInferRequest({ ...fields, inputs: TENSORS }), encodeInferRequest({ ...fields, inputs: TENSORS }, 'json')],
    decodeInferRequest,
  ],
  [
    'responses',
    [true, false].map((binary) => encodeInferResponse({ modelName: 'm', outputs: TENSORS }, () => binary)),
    decodeInferResponse,
  ],
])('damaged %s end in a typed error or a whole message', (_, messages, decode) => {
  const random = generator(20261123);
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const [body, headerLength] = damage(messages[random(messages.length)]!, random);
    try {
      const decoded = decode(body, headerLength);
      const tensors = (decoded.inputs ?? decoded.outputs) as readonly Tensor[];
      for (const { shape, data } of tensors)
        expect(data.length).toBe(shape.reduce((product, each) => product * each, 1));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      expect(error.message.length).toBeLessThan(1000);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(ROUNDS / 10);
});
