import { describe, expect, test } from 'vitest';
import { MAX_LINE_LENGTH, parseManifestLine } from '../../../worker/jobs/manifest-lines.ts';

const ndjson = (line: string) => parseManifestLine(line, 'ndjson', false);
const csv = (line: string, isFirst = false) => parseManifestLine(line, 'csv', isFirst);

describe('NDJSON', () => {
  test('objects and strings; a string with a scheme is a URL, any other a key', () => {
    expect(ndjson('{"url":"https://a.b/c.png","id":"1"}')).toEqual({ input: { url: 'https://a.b/c.png', id: '1' } });
    expect(ndjson('{"r2":{"bucket":"x","key":"y"}}\r')).toEqual({ input: { r2: { bucket: 'x', key: 'y' } } });
    expect(ndjson('"https://a.b/c.png"')).toEqual({ input: { url: 'https://a.b/c.png' } });
    expect(ndjson('"uploads/c.png"')).toEqual({ input: { r2: 'uploads/c.png' } });
  });

  test('an empty line is none', () => {
    expect(ndjson(' \r')).toBeNull();
  });

  for (const line of ['{', '1', 'null', '{}', '{"url":"https://a.b","r2":"c"}', '{"r2":"a","x":1}', '{"r2":""}']) {
    test(`${line} is a failed item`, () => {
      expect(ndjson(line)).toMatchObject({ error: { code: 'invalid_manifest_line' } });
    });
  }

  test('a line may be as long as the limit, not longer', () => {
    const line = (length: number): string => `{"r2":"a"${' '.repeat(length - 10)}}`;
    expect(ndjson(line(MAX_LINE_LENGTH))).toEqual({ input: { r2: 'a' } });
    expect(ndjson(line(MAX_LINE_LENGTH + 1))).toMatchObject({ error: { message: expect.stringContaining('8193') } });
  });
});

describe('CSV', () => {
  test('the image, then its id; quotes hold commas and doubled quotes', () => {
    expect(csv('https://a.b/c.png,7')).toEqual({ input: { url: 'https://a.b/c.png', id: '7' } });
    expect(csv('"a,b.png","say ""x"""')).toEqual({ input: { r2: 'a,b.png', id: 'say "x"' } });
    expect(csv('a.png')).toEqual({ input: { r2: 'a.png' } });
  });

  test('a header counts only in the first line', () => {
    expect(csv('image,id', true)).toBeNull();
    expect(csv('image,id')).toEqual({ input: { r2: 'image', id: 'id' } });
    expect(csv('a.png,id', true)).toEqual({ input: { r2: 'a.png', id: 'id' } });
  });

  test('a line without an image is a failed item', () => {
    expect(csv(',7')).toMatchObject({ error: { code: 'invalid_manifest_line' } });
  });
});
