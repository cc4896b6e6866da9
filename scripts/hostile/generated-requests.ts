/** Requests made by structure: bodies of every format that are nearly right, too large, too deep, cut or damaged. Pure. */

/** One request. */
export interface HostileRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What requests are made of. */
export interface Ingredients {
  readonly model: string;
  readonly image: Uint8Array<ArrayBuffer>;
}

type Random = (limit: number) => number;

/** A generator of whole numbers below `limit`, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(new TextEncoder().encode(text));
const pick = <T>(random: Random, values: readonly T[]): T => values[random(values.length)]!;

const SCALARS = [
  '1',
  '-1',
  '1e999',
  'null',
  'true',
  '""',
  '"x"',
  '"eA=="',
  '"data:image/png;base64,eA=="',
  '9007199254740993',
  '"\\ud800"',
];
const NAMES = [
  'image',
  'images',
  'url',
  'r2',
  'inputs',
  'outputs',
  'name',
  'shape',
  'datatype',
  'data',
  'parameters',
  'task',
  'model',
  '__proto__',
  'top_k',
  'x',
];
const PATHS = [
  '/v1/classify',
  '/v1/embed',
  '/v1/features',
  '/v1/moderate',
  '/v1/jobs',
  '/v1/webhooks/images',
  '/v1/webhooks/replay',
];
const QUERIES = [
  '',
  '',
  '',
  '?top_k=3',
  '?top_k=-1',
  '?model=nobody',
  '?outputs=logits,logits',
  '?exact=maybe',
  '?__proto__=1',
  '?policy=%00',
  '?x=%ff',
];

function value(random: Random, depth: number): string {
  const kind = random(depth > 5 ? 1 : 4);
  if (kind < 2) return pick(random, SCALARS);
  const count = random(30) === 0 ? random(40_000) : random(4);
  if (kind === 2) {
    if (count > 4) return `[${`${pick(random, SCALARS)},`.repeat(count)}1]`;
    return `[${Array.from({ length: count }, () => value(random, depth + 1)).join(',')}]`;
  }
  if (random(40) === 0) return '['.repeat(random(20_000)) + ']'.repeat(random(20_000));
  const members = Array.from(
    { length: Math.min(count, 6) },
    () => `"${pick(random, NAMES)}":${value(random, depth + 1)}`,
  );
  return `{${members.join(',')}}`;
}

function json(random: Random): string {
  const members = Array.from({ length: 1 + random(4) }, () => `"${pick(random, NAMES)}":${value(random, 0)}`);
  return `{${members.join(',')}}`;
}

function form(random: Random, image: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array[] = [];
  const parts = random(20) === 0 ? random(2000) : random(5);
  for (let i = 0; i < parts; i++) {
    const name = pick(random, [
      'name="image"',
      'name=image',
      'name="top_k"',
      'filename="x"',
      'name="',
      `name="${'n'.repeat(random(9000))}"`,
    ]);
    pieces.push(
      utf8(
        `--b\r\nContent-Disposition: form-data; ${name}${pick(random, ['', '; filename="a.png"', "; filename*=utf-8''a"])}\r\n\r\n`,
      ),
    );
    pieces.push(random(2) === 0 ? image : utf8('3'), utf8('\r\n'));
  }
  pieces.push(utf8(pick(random, ['--b--\r\n', '--b--', '--b', '', '--b--x'])));
  return Uint8Array.from(Buffer.concat(pieces));
}

function tensors(
  random: Random,
  image: Uint8Array<ArrayBuffer>,
): { body: Uint8Array<ArrayBuffer>; headerLength: number } {
  const shape = pick(random, ['[1]', '[16]', '[1000000]', '[1,3,64,64]', '[]', '[-1]', '[1e99]', '[0]']);
  const datatype = pick(random, ['BYTES', 'FP32', 'UINT8', 'INT64', 'FP16', 'X']);
  const size = pick(random, [0, 4, image.length, image.length + 4, 49_152, 2 ** 31]);
  const name = pick(random, ['image', 'pixel_values', 'x']);
  const data = random(3) === 0 ? `,"data":${value(random, 0)}` : '';
  const header = utf8(
    `{"inputs":[{"name":"${name}","shape":${shape},"datatype":"${datatype}","parameters":{"binary_data_size":${size}}${data}}]}`,
  );
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, pick(random, [image.length, 0, 2 ** 31]), true);
  const body = Uint8Array.from(Buffer.concat([header, length, image]));
  return { body, headerLength: pick(random, [header.length, header.length, 0, body.length + 1]) };
}

/** Cuts, doubles or flips some of a body. */
function damage(random: Random, body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const kind = random(6);
  if (kind === 0) return body.slice(0, random(body.length + 1));
  if (kind > 1 || body.length === 0) return body;
  const copy = body.slice();
  for (let i = 0; i <= random(8); i++) copy[random(copy.length)] = random(256);
  return copy;
}

/** The next request of a generator. */
export function nextRequest(random: Random, { model, image }: Ingredients): HostileRequest {
  const query = pick(random, QUERIES);
  const encoding: Record<string, string> =
    random(12) === 0 ? { 'content-encoding': pick(random, ['gzip', 'br', 'deflate', 'zstd']) } : {};
  switch (random(6)) {
    case 0: {
      const headers = {
        'content-type': pick(random, [
          'multipart/form-data; boundary=b',
          'multipart/form-data; boundary="b"',
          'multipart/form-data',
        ]),
      };
      return {
        path: pick(random, PATHS) + query,
        headers: { ...headers, ...encoding },
        body: damage(random, form(random, image)),
      };
    }
    case 1: {
      const { body, headerLength } = tensors(random, image);
      const headers = {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': String(headerLength),
      };
      return { path: `/v2/models/${model}/infer`, headers, body: damage(random, body) };
    }
    case 2:
      return {
        path: pick(random, PATHS) + query,
        headers: { 'content-type': 'image/png', ...encoding },
        body: damage(random, image),
      };
    case 3: {
      const lines = Array.from({ length: random(50) }, () => value(random, 3)).join('\n');
      const headers = {
        'content-type': pick(random, ['application/x-ndjson', 'text/csv']),
        'idempotency-key': `k${random(20)}`,
      };
      return { path: '/v1/jobs', headers, body: damage(random, utf8(lines)) };
    }
    case 4: {
      const paths = [
        `/models/${model}`,
        `/ai/run/${model}`,
        `/v2/models/${model}/infer`,
        `/pipeline/feature-extraction/${model}`,
      ];
      return {
        path: pick(random, paths),
        headers: { 'content-type': 'application/json', ...encoding },
        body: damage(random, utf8(json(random))),
      };
    }
    default: {
      const signed = {
        'webhook-id': 'x',
        'webhook-timestamp': String(random(2 ** 31)),
        'webhook-signature': 'v1,eA==',
      };
      const headers = { 'content-type': pick(random, ['application/json', 'application/vnd.api+json']), ...signed };
      return {
        path: pick(random, PATHS) + query,
        headers: { ...headers, ...encoding },
        body: damage(random, utf8(json(random))),
      };
    }
  }
}
