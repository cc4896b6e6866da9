import { describe, expect, it } from 'vitest';
import { imageJsonLimits, readImageInputs } from '../../../worker/routes/support/image-inputs.ts';
import { testBodyMemory } from '../../support/body-memory.ts';

const MEMORY = testBodyMemory(20 * 1024 * 1024);
const CHUNK_BYTES = 16 * 1024;

/** A request of a large body, and how much of it has been asked for. */
function largeRequest(body: string, contentType: string): { request: Request; bytesRead(): number } {
  const bytes = new TextEncoder().encode(body);
  let at = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at + CHUNK_BYTES));
        at += CHUNK_BYTES;
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { 'content-type': contentType, 'content-length': String(bytes.length) };
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: stream, headers, duplex: 'half' };
  return { request: new Request('http://x/', init), bytesRead: () => at };
}

function refusal(request: Request, maxImages = 16): Promise<unknown> {
  return readImageInputs(request, MEMORY, maxImages).then(
    () => null,
    (error: unknown) => error,
  );
}

const part = (name: string, content: string): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;

const FORM = 'multipart/form-data; boundary=b';

describe('a request of far more than is allowed is refused at its beginning', () => {
  it.each([
    ['a list of 3,000,000 images', `{"images":[${'1,'.repeat(3_000_000)}1]}`, 'application/json', 'body_too_large'],
    ['3,000,000 members', `{${'"a":1,'.repeat(1_000_000)}"b":1}`, 'application/json', 'body_too_large'],
    ['5,000 arrays in one another', `{"image":${'['.repeat(5000)}`, 'application/json', 'invalid_body'],
    ['a name of 1 MB', `{"${'n'.repeat(1_000_000)}":1}`, 'application/json', 'invalid_body'],
    ['a form of 100,000 images', part('image', 'x').repeat(100_000), FORM, 'too_many_images'],
    ['a form of 100,000 fields', part('top_k', '1').repeat(100_000), FORM, 'body_too_large'],
    ['a form field of 5 MB', part('top_k', 'x'.repeat(5_000_000)), FORM, 'body_too_large'],
    ['headers of 5 MB', part(`image"; x="${'x'.repeat(5_000_000)}`, 'x'), FORM, 'body_too_large'],
  ])('%s', async (_, body, contentType, code) => {
    const { request, bytesRead } = largeRequest(body, contentType);
    expect(await refusal(request)).toMatchObject({ code });
    expect(bytesRead()).toBeLessThanOrEqual(2 * CHUNK_BYTES);
  });
});

describe("an image's field", () => {
  const read = (body: string) =>
    readImageInputs(new Request('http://x/', { method: 'POST', body, headers: { 'content-type': FORM } }), MEMORY, 16);

  it.each(['image', 'file'])('may be called %s', async (name) => {
    const { inputs, parameters } = await read(`${part(name, 'abc')}${part('top_k', '3')}--b--\r\n`);
    expect(inputs).toEqual([{ bytes: new TextEncoder().encode('abc') }]);
    expect(parameters).toEqual({ top_k: '3' });
  });

  it.each(['image', 'file'])('that is empty is refused by the name %s', async (name) => {
    const message = `the field "${name}" is empty: 0 bytes`;
    await expect(read(`${part(name, '')}--b--\r\n`)).rejects.toMatchObject({ code: 'empty_body', message });
  });

  it('has one name in a form', async () => {
    await expect(read(`${part('image', 'a')}${part('file', 'b')}--b--\r\n`)).rejects.toMatchObject({
      code: 'invalid_body',
    });
  });

  it('in JSON may be beside members that are null', async () => {
    const body = JSON.stringify({ image: 'eA==', images: null, url: null, r2: null, top_k: null });
    const request = new Request('http://x/', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    const { inputs, parameters } = await readImageInputs(request, MEMORY, 16);
    expect([inputs, parameters]).toEqual([[{ bytes: new TextEncoder().encode('x') }], {}]);
  });
});

describe('the number of images', () => {
  const json = (count: number) =>
    largeRequest(JSON.stringify({ images: Array(count).fill('eA==') }), 'application/json');
  const form = (count: number) => largeRequest(`${part('image', 'x').repeat(count)}--b--\r\n`, FORM);

  it.each([
    ['JSON', json],
    ['a form', form],
  ])('in %s may be the limit; one more is refused with the numbers', async (_, make) => {
    expect((await readImageInputs(make(16).request, MEMORY, 16)).inputs).toHaveLength(16);
    const refused = { code: 'too_many_images', details: { images: 17, limit: 16 } };
    expect(await refusal(make(17).request)).toMatchObject(refused);
  });

  it('leaves room in JSON for the longest way to name them', () => {
    const image = { r2: { bucket: 'b', key: 'k' } };
    const parameters = { top_k: 5, outputs: Array(16).fill('x'), encoding: 'float', exact: true, model: 'm' };
    for (const count of [1, 16, 1000]) {
      const body = JSON.stringify({ images: Array(count).fill(image), ...parameters });
      // Names and values end where a quote, a digit or a bracket does: fewer than half of these characters begin one.
      const values = body.match(/"[^"]*"|\d+|true|[[{]/g)!.length;
      expect(values).toBeLessThan(imageJsonLimits(count).maxValues);
    }
  });
});

describe('a form', () => {
  it('gives its image fields as ranges of the body, its other fields as parameters', async () => {
    const { request } = largeRequest(`${part('image', '\x01\x02')}${part('top_k', '3')}--b--`, FORM);
    const { inputs, isList, parameters } = await readImageInputs(request, MEMORY, 16);
    expect(inputs).toEqual([{ bytes: Uint8Array.of(1, 2) }]);
    expect(isList).toBe(false);
    expect(parameters).toEqual({ top_k: '3' });
  });

  it('refuses a file that is no image field, by its name', async () => {
    const body = '--b\r\nContent-Disposition: form-data; name="upload"; filename="a.png"\r\n\r\nx\r\n--b--\r\n';
    const refused = { code: 'unknown_parameter', details: { parameter: 'upload' } };
    expect(await refusal(largeRequest(body, FORM).request)).toMatchObject(refused);
  });

  it('refuses a field that is given twice', async () => {
    const { request } = largeRequest(`${part('image', 'x')}${part('top_k', '1').repeat(2)}--b--`, FORM);
    expect(await refusal(request)).toMatchObject({ code: 'invalid_parameter' });
  });
});

it('takes JSON of a vendor type', async () => {
  const { request } = largeRequest('{"image":"eA=="}', 'application/vnd.api+json; charset=utf-8');
  expect((await readImageInputs(request, MEMORY, 16)).inputs).toEqual([{ bytes: Uint8Array.of(0x78) }]);
});
