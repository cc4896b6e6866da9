import { describe, expect, test } from 'vitest';
import { readConfig } from '../../../gpu-backend/config.ts';
import { parseModelReference, selectVersions } from '../../../gpu-backend/model-reference.ts';
import { ConfigurationError } from '../../../worker/errors.ts';

const TOKEN = '0123456789abcdef';
const S3 = {
  GPU_STORE: 's3://models/a/b/',
  GPU_S3_ENDPOINT: 'https://x.test/',
  GPU_S3_ACCESS_KEY_ID: 'k',
  GPU_S3_SECRET_ACCESS_KEY: 's',
};

describe('configuration', () => {
  test('has defaults that are safe on a laptop', () => {
    expect(readConfig({ GPU_STORE: 'models' })).toMatchObject({
      host: '127.0.0.1',
      port: 8700,
      token: null,
      store: { kind: 'folder', path: 'models' },
      models: [],
      providers: ['cuda', 'webgpu', 'cpu'],
      batch: { maxBatch: 32, maxDelayMs: 5, maxQueue: 256 },
    });
  });

  test('reads a bucket', () => {
    expect(readConfig(S3).store).toMatchObject({
      kind: 's3',
      endpoint: 'https://x.test',
      region: 'auto',
      bucket: 'models',
      prefix: 'a/b/',
    });
    expect(readConfig({ ...S3, GPU_STORE: 's3://models' }).store).toMatchObject({ bucket: 'models', prefix: '' });
  });

  test.each<[string, Record<string, string>]>([
    ['GPU_PORT', { GPU_PORT: '65536' }],
    ['GPU_PORT', { GPU_PORT: '-1' }],
    ['GPU_PORT', { GPU_PORT: '80.5' }],
    ['GPU_TOKEN', { GPU_HOST: '0.0.0.0' }],
    ['GPU_TOKEN', { GPU_TOKEN: TOKEN.slice(1) }],
    ['GPU_TOKEN', { GPU_TOKEN: `${TOKEN} x` }],
    ['GPU_MAX_BATCH', { GPU_MAX_BATCH: '0' }],
    ['GPU_MAX_QUEUE', { GPU_MAX_BATCH: '64', GPU_MAX_QUEUE: '63' }],
    ['GPU_MAX_BODY_MEMORY_BYTES', { GPU_MAX_REQUEST_BYTES: '4096', GPU_MAX_BODY_MEMORY_BYTES: '4095' }],
    ['GPU_PROVIDERS', { GPU_PROVIDERS: 'cuda,tpu' }],
    ['GPU_PROVIDERS', { GPU_PROVIDERS: 'cpu,cpu' }],
    ['GPU_LOG_LEVEL', { GPU_LOG_LEVEL: 'loud' }],
    ['GPU_MODELS', { GPU_MODELS: 'a@b@c' }],
    ['GPU_MODELS', { GPU_MODELS: '../etc' }],
    ['GPU_STORE', { GPU_STORE: '' }],
    ['GPU_STORE', { ...S3, GPU_STORE: 's3://X' }],
    ['GPU_STORE', { ...S3, GPU_STORE: 'https://x.test' }],
    ['GPU_S3_ENDPOINT', { ...S3, GPU_S3_ENDPOINT: 'ftp://x.test' }],
    ['GPU_S3_SECRET_ACCESS_KEY', { ...S3, GPU_S3_SECRET_ACCESS_KEY: '' }],
  ])('names %s where it is wrong: %j', (variable, env) => {
    expect(() => readConfig({ GPU_STORE: 'models', ...env })).toThrow(ConfigurationError);
    expect(() => readConfig({ GPU_STORE: 'models', ...env })).toThrow(`${variable}: `);
  });

  test('an address that others can reach needs a token', () => {
    expect(readConfig({ GPU_STORE: 'models', GPU_HOST: '0.0.0.0', GPU_TOKEN: TOKEN })).toMatchObject({
      host: '0.0.0.0',
      token: TOKEN,
    });
  });
});

describe('model references', () => {
  const stored = {
    name: 'm',
    versions: ['1', '2', '3'],
    aliases: new Map([
      ['latest', '3'],
      ['stable', '2'],
      ['gone', '9'],
    ]),
  };
  const select = (items: string[], from = stored) =>
    selectVersions(
      from,
      items.map((item) => parseModelReference('X', item)),
      'latest',
    );

  test.each([
    [['m'], ['3', '2'], '3'],
    [['m@*'], ['1', '2', '3'], '3'],
    [['m@stable'], ['2'], '2'],
    [['m@1', 'm@stable'], ['1', '2'], '1'],
    [['m@1', 'm'], ['1', '3', '2'], '3'],
  ])('%j selects versions %j, default %s', (items, versions, defaultVersion) => {
    expect(select(items)).toEqual({ name: 'm', versions, defaultVersion });
  });

  test('without aliases every version is meant', () => {
    expect(select(['m'], { ...stored, aliases: new Map() })).toMatchObject({
      versions: ['1', '2', '3'],
      defaultVersion: '1',
    });
  });

  test.each(['m@9', 'm@gone'])('%s selects nothing', (item) => {
    expect(select([item])).toBeNull();
  });
});
