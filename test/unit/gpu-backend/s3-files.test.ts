import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseListing, s3Files } from '../../../gpu-backend/store/s3-files.ts';
import { signRequest } from '../../../gpu-backend/store/sigv4.ts';
import { type FakeBucket, startFakeBucket } from '../../support/fake-bucket.ts';

/** The credentials and the time of Amazon's examples. */
const EXAMPLE = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
};
const DATE = new Date('2013-05-24T00:00:00Z');

describe('signature version 4 (the examples of the Amazon S3 API Reference)', () => {
  test('GET object', () => {
    const url = new URL('https://examplebucket.s3.amazonaws.com/test.txt');
    const { authorization } = signRequest('GET', url, { range: 'bytes=0-9' }, EXAMPLE, DATE);
    expect(authorization).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
        'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,' +
        'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
  });

  test('GET bucket lifecycle and list objects', () => {
    const sign = (query: string) =>
      signRequest('GET', new URL(`https://examplebucket.s3.amazonaws.com/?${query}`), {}, EXAMPLE, DATE).authorization;
    expect(sign('lifecycle')).toContain('Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543');
    for (const query of ['max-keys=2&prefix=J', 'prefix=J&max-keys=2']) {
      expect(sign(query)).toContain('Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7');
    }
  });
});

describe('a bucket', () => {
  const objects = new Map<string, Buffer>();
  let bucket: FakeBucket;
  let cacheDirectory = '';

  beforeAll(async () => {
    bucket = await startFakeBucket('bucket', objects, EXAMPLE);
  });
  afterAll(() => bucket.close());
  beforeEach(async () => {
    objects.clear();
    bucket.requests.length = 0;
    bucket.failNext(0);
    cacheDirectory = await mkdtemp(join(tmpdir(), 'gpu-cache-'));
    return () => rm(cacheDirectory, { recursive: true });
  });

  function open(secretAccessKey = EXAMPLE.secretAccessKey) {
    const config = {
      kind: 's3',
      endpoint: bucket.endpoint,
      bucket: 'bucket',
      prefix: 'p/',
      cacheDirectory,
      ...EXAMPLE,
      secretAccessKey,
    } as const;
    return s3Files(config, { fetch, now: () => DATE, sleep: async () => {} });
  }

  function put(key: string, text: string) {
    const data = Buffer.from(text);
    objects.set(`p/${key}`, data);
    const sha256 = createHash('sha256').update(data).digest('hex');
    return { path: key.split('/').at(-1)!, bytes: data.byteLength, sha256 };
  }

  test('lists names over several pages, folders and files alike', async () => {
    for (const key of ['models/a/1/x', 'models/a/2/x', 'models/b/1/x', 'models/c&d', 'models/e']) put(key, 'x');
    expect(await open().list('models/')).toEqual(['a', 'b', 'c&d', 'e']);
    expect(await open().list('nothing/')).toEqual([]);
  });

  test('reads text; an absent object is null', async () => {
    put('models/a/1/manifest.json', '{}');
    expect(await open().readText('models/a/1/manifest.json')).toBe('{}');
    expect(await open().readText('models/a/2/manifest.json')).toBeNull();
  });

  test('downloads once, verifies, and downloads again what was damaged in the cache', async () => {
    const file = put('models/a/1/model.onnx', 'weights');
    const folder = await open().materialize('models/a/1/', [file]);
    expect(await readFile(join(folder, 'model.onnx'), 'utf8')).toBe('weights');
    await open().materialize('models/a/1/', [file]);
    expect(bucket.requests).toHaveLength(1);
    await writeFile(join(folder, 'model.onnx'), 'damaged');
    await open().materialize('models/a/1/', [file]);
    expect([bucket.requests.length, await readFile(join(folder, 'model.onnx'), 'utf8')]).toEqual([2, 'weights']);
  });

  test.each([
    ['another content', 'Weights', 'model_corrupt'],
    ['a longer file', 'weights and more', 'model_corrupt'],
    ['a shorter file', 'weigh', 'model_corrupt'],
    ['no file', null, 'model_unavailable'],
  ])('%s is refused and leaves nothing behind', async (_, text, code) => {
    const file = put('models/a/1/model.onnx', 'weights');
    if (text === null) objects.clear();
    else put('models/a/1/model.onnx', text);
    await expect(open().materialize('models/a/1/', [file])).rejects.toMatchObject({ code });
    expect(await readdir(join(cacheDirectory, 'models/a/1'))).toEqual([]);
  });

  test('tries again after 503, three times in all', async () => {
    put('x', 'text');
    bucket.failNext(2);
    expect(await open().readText('x')).toBe('text');
    bucket.failNext(3);
    await expect(open().readText('x')).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringContaining('status 503'),
    });
    expect(bucket.requests).toHaveLength(6);
  });

  test('wrong credentials are an error at once, with what the store says', async () => {
    await expect(open('wrong').readText('x')).rejects.toThrow('status 403: <Error><Code>SignatureDoesNotMatch');
    expect(bucket.requests).toHaveLength(1);
  });

  test('entities in listings are read', () => {
    const xml =
      '<R><Contents><Key>a&amp;b&#x27;&#33;</Key></Contents><NextContinuationToken>t</NextContinuationToken></R>';
    expect(parseListing(xml)).toEqual({ keys: ["a&b'!"], next: 't' });
  });
});
