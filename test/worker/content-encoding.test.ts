/** Compressed bodies (RFC 9110, section 8.4): inflated within the limits of bodies, or refused by name. */
import { SELF } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { inflateBody } from '../../worker/body/content-encoding.ts';
import { readFixture, seedDefaultModel } from '../support/worker/seed.ts';

const MIB = 1024 * 1024;
const JSON_TYPE = { 'content-type': 'application/json' };

/** `br` of 'x' by brotli's command line; the platform makes no brotli stream. */
const BROTLI_X = Uint8Array.from([0x0b, 0x00, 0x80, 0x78, 0x03]);

let photo: Uint8Array<ArrayBuffer>;
let model: string;

beforeAll(async () => {
  model = (await seedDefaultModel()).name;
  photo = await readFixture('photo.png');
});

async function compress(
  bytes: Uint8Array<ArrayBuffer>,
  format: 'gzip' | 'deflate' | 'deflate-raw',
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(new TextEncoder().encode(text));

function post(path: string, body: BodyInit, headers: Record<string, string>): Promise<Response> {
  return SELF.fetch(`http://localhost${path}`, { method: 'POST', body, headers });
}

async function outcome(response: Response): Promise<[number, unknown]> {
  return [response.status, ((await response.json()) as { code?: unknown }).code];
}

describe('a compressed body', () => {
  it.each([
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['Deflate', 'deflate-raw'],
  ] as const)('of %s (%s) is answered as the image is', async (encoding, format) => {
    const plain = (await (await post('/v1/classify', photo, {})).json()) as { predictions: unknown };
    const response = await post('/v1/classify', await compress(photo, format), { 'content-encoding': encoding });
    expect(await response.json()).toMatchObject({ predictions: plain.predictions });
  });

  it('of JSON, of a form, of the inference protocol and of a job is read', async () => {
    const gzip = { 'content-encoding': 'gzip' };
    const text = (body: string) => compress(utf8(body), 'gzip');
    const base64 = btoa(Array.from(photo, (byte) => String.fromCharCode(byte)).join(''));
    const json = await post('/v1/embed', await text(JSON.stringify({ image: base64 })), { ...JSON_TYPE, ...gzip });
    const head = '--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n';
    const form = new Uint8Array(await new Blob([head, photo, '\r\n--b--']).arrayBuffer());
    const type = { 'content-type': 'multipart/form-data; boundary=b' };
    const formAnswer = await post('/v1/classify', await compress(form, 'gzip'), { ...type, ...gzip });
    const tensor = { name: 'image', shape: [1], datatype: 'BYTES', data: [base64] };
    const oip = await post(`/v2/models/${model}/infer`, await text(JSON.stringify({ inputs: [tensor] })), {
      ...JSON_TYPE,
      ...gzip,
    });
    const job = await post('/v1/jobs', await text('{"inputs":["incoming/x.png"]}'), { ...JSON_TYPE, ...gzip });
    expect([json.status, formAnswer.status, oip.status, job.status]).toEqual([200, 200, 200, 202]);
  });

  it.each([
    ['zstd', '/v1/classify', 'gzip, deflate, br'],
    ['gzip, br', '/v1/classify', 'gzip, deflate, br'],
    ['gzip', '/v1/webhooks/images', 'identity'],
  ])('of %s at %s is refused by name, with what is accepted', async (encoding, path, accepted) => {
    const response = await post(path, photo, { 'content-encoding': encoding });
    expect(response.headers.get('accept-encoding')).toBe(accepted);
    expect(await outcome(response)).toEqual([415, 'unsupported_media_type']);
  });

  it('of a manifest is refused: it is stored as it comes', async () => {
    const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
    expect(await outcome(await post('/v1/jobs', photo, headers))).toEqual([415, 'unsupported_media_type']);
  });

  it('that is damaged, empty or bare is refused', async () => {
    const gzip = { 'content-encoding': 'gzip' };
    const whole = await compress(photo, 'gzip');
    expect(await outcome(await post('/v1/classify', whole.slice(0, -9), gzip))).toEqual([400, 'invalid_body']);
    expect(await outcome(await post('/v1/classify', photo, gzip))).toEqual([400, 'invalid_body']);
    const empty = await compress(new Uint8Array(0), 'gzip');
    expect(await outcome(await post('/v1/classify', empty, gzip))).toEqual([400, 'empty_body']);
  });

  it('that becomes more than a body may be is refused', async () => {
    const large = await compress(crypto.getRandomValues(new Uint8Array(MIB / 16)), 'gzip');
    expect(() => inflateBody(large, 'gzip', MIB / 16 - 1)).toThrow(expect.objectContaining({ code: 'body_too_large' }));
    expect(inflateBody(large, 'gzip', MIB / 16)).toHaveLength(MIB / 16);
  });

  it.each(['gzip', 'deflate'] as const)('that is a bomb of %s is refused before it is inflated', async (format) => {
    const bomb = await compress(new Uint8Array(19 * MIB), format);
    expect(bomb.byteLength).toBeLessThan(MIB / 32);
    const response = await post('/v1/classify', bomb, { 'content-encoding': format });
    expect(await outcome(response)).toEqual([413, 'body_too_large']);
    const json = await compress(utf8(`{"images":[${'1,'.repeat(200_000)}1]}`), format);
    const shape = await post('/v1/classify', json, { ...JSON_TYPE, 'content-encoding': format });
    expect(shape.status).toBe(413);
    expect((await post('/v1/classify', photo, {})).status).toBe(200);
  });

  it('of br is inflated', () => {
    expect([...inflateBody(BROTLI_X, 'br', 100)]).toEqual([0x78]);
    const damaged = () => inflateBody(BROTLI_X.slice(0, 3), 'br', 100);
    expect(damaged).toThrow(expect.objectContaining({ code: 'invalid_body' }));
  });
});
