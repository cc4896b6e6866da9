import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type FormPart, MAX_PART_HEADER_BYTES, MultipartScanner } from '../../../worker/form-data/multipart-scanner.ts';
import { boundaryOf, parsePartHeaders } from '../../../worker/form-data/part-headers.ts';

interface Client {
  readonly content_type: string;
  readonly body: string;
}

const fixture = new URL('../../fixtures/multipart/clients.json', import.meta.url);
const CLIENTS = Object.entries(JSON.parse(await readFile(fixture, 'utf8')) as Record<string, Client>);

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

function scan(body: Uint8Array, boundary: string, chunkLength = body.length, accept = () => 1e9): readonly FormPart[] {
  const scanner = new MultipartScanner(boundary, { accept });
  for (let at = 0; at < body.length; at += chunkLength) scanner.push(body.subarray(at, at + chunkLength));
  return scanner.finish();
}

const part = (headers: string, content: string): string => `--b\r\n${headers}\r\n\r\n${content}\r\n`;
const NAMED = 'Content-Disposition: form-data; name="a"';

function contents(body: string, chunkLength?: number): string[] {
  const all = bytes(body);
  return scan(all, 'b', chunkLength).map(({ start, end }) => String.fromCharCode(...all.subarray(start, end)));
}

describe('MultipartScanner', () => {
  it.each(CLIENTS)('finds the image and the text in a form of %s, however it is cut', (_, { content_type, body }) => {
    // What looks like a delimiter but is none, in the middle of an image.
    const photo = '\xff\xd8\r\n--\r\n-\r\r\n--Xb\r\n\0';
    const all = bytes(body.replace('PHOTO', photo));
    for (const chunkLength of [1, 5, 64, all.length]) {
      const found = scan(all, boundaryOf(content_type), chunkLength).map(({ name, start, end }) => [
        name,
        String.fromCharCode(...all.subarray(start, end)),
      ]);
      expect(Object.fromEntries(found)).toEqual({ image: photo, top_k: '3' });
      expect(found).toHaveLength(2);
    }
  });

  it('takes a preamble, an epilogue, padding behind a boundary, empty parts and a form without any', () => {
    for (const chunkLength of [1, 1000]) {
      expect(contents(`preamble\r\n${part(NAMED, 'x')}--b--\r\nepilogue --b`, chunkLength)).toEqual(['x']);
      expect(contents(`--b \t\r\n${NAMED}\r\n\r\nx\r\n--b--`, chunkLength)).toEqual(['x']);
      expect(contents(`${part(NAMED, '')}--b\r\n${NAMED}\r\n\r\n--b--`, chunkLength)).toEqual(['', '']);
      expect(contents('--b--\r\n', chunkLength)).toEqual([]);
    }
  });

  it.each([
    ['that ends within a part', part(NAMED, 'x')],
    ['that ends within headers', `--b\r\n${NAMED}`],
    ['without its boundary', 'hello'],
    ['whose boundary goes on', `--bc\r\n${NAMED}\r\n\r\nx\r\n--b--`],
    ['whose boundary ends in one dash', `${part(NAMED, 'x')}--b-x`],
    ['whose boundary ends in CR alone', `--b\rx`],
    ['with a part without headers', '--b\r\n\r\nx\r\n--b--'],
    ['with a part without a name', `${part('Content-Disposition: form-data', 'x')}--b--`],
    ['with an attachment', `${part('Content-Disposition: attachment; name="a"', 'x')}--b--`],
    ['with content in base64', `${part(`${NAMED}\r\nContent-Transfer-Encoding: base64`, 'eA==')}--b--`],
  ])('refuses a form %s', (_, body) => {
    for (const chunkLength of [1, body.length]) {
      expect(() => contents(body, chunkLength)).toThrow(expect.objectContaining({ code: 'invalid_body' }));
    }
  });

  it('takes headers up to their limit, and refuses one byte more before it has come whole', () => {
    const fixed = `${NAMED}\r\nX: \r\n\r\n`.length + 2;
    const headers = (length: number) => `${NAMED}\r\nX: ${'x'.repeat(length - fixed)}`;
    expect(contents(`${part(headers(MAX_PART_HEADER_BYTES), 'x')}--b--`)).toEqual(['x']);
    const long = bytes(`--b\r\n${headers(1_000_000)}`).subarray(0, MAX_PART_HEADER_BYTES + 6);
    const refused = expect.objectContaining({
      code: 'body_too_large',
      details: { limit_bytes: MAX_PART_HEADER_BYTES },
    });
    expect(() => scan(long, 'b')).toThrow(refused);
  });

  it('takes content up to what was accepted, and refuses one byte more as soon as it has come', () => {
    const scanOf = (length: number) => scan(bytes(`${part(NAMED, 'x'.repeat(length))}--b--`), 'b', 100, () => 500);
    expect(scanOf(500)).toHaveLength(1);
    expect(() => scanOf(501)).toThrow(expect.objectContaining({ code: 'body_too_large' }));
    const scanner = new MultipartScanner('b', { accept: () => 500 });
    scanner.push(bytes(`--b\r\n${NAMED}\r\n\r\n`));
    expect(() => scanner.push(bytes('x'.repeat(600)))).toThrow(expect.objectContaining({ code: 'body_too_large' }));
  });

  it('asks before each part, and stops at the one that is not accepted', () => {
    let asked = 0;
    const accept = () => {
      asked++;
      if (asked === 3) throw new RangeError('the third');
      return 10;
    };
    expect(() => scan(bytes(part(NAMED, 'x').repeat(100_000)), 'b', 65_536, accept)).toThrow('the third');
    expect(asked).toBe(3);
  });
});

describe('parsePartHeaders', () => {
  it.each([
    ['name="a\\"b"', 'a"b'],
    ['name="a%22b%0D%0A%41"', 'a"b\r\n%41'],
    ['name="C:\\temp"', 'C:\\temp'],
    ['name=a; filename="x; name=b"', 'a'],
    ['filename="x\\"; name=b"; name=a', 'a'],
    ["filename*=UTF-8''x; NAME = a", 'a'],
    ['name="__proto__"', '__proto__'],
  ])('reads %s', (parameters, name) => {
    expect(parsePartHeaders(`content-disposition:form-data;${parameters}`).name).toBe(name);
  });
});

describe('boundaryOf', () => {
  it.each([
    ['multipart/form-data; boundary=abc', 'abc'],
    ['multipart/form-data; charset=utf-8; Boundary="a b:c"', 'a b:c'],
    ['multipart/form-data;boundary=abc;charset=x', 'abc'],
  ])('reads %s', (type, boundary) => {
    expect(boundaryOf(type)).toBe(boundary);
  });

  it.each([
    'multipart/form-data',
    'multipart/form-data; boundary=',
    `multipart/form-data; boundary=${'x'.repeat(201)}`,
  ])('refuses %s', (type) => {
    expect(() => boundaryOf(type)).toThrow(expect.objectContaining({ code: 'invalid_body' }));
  });
});
