import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FileReference, Manifest } from '../../../../model-store/manifest.ts';
import { encodeOnnxModel } from '../../../../model-store/onnx/encode.ts';
import type { OnnxNode, OnnxValue } from '../../../../model-store/onnx/onnx-model.ts';
import { sha256OfBytes } from '../../../../scripts/cli/files/hash.ts';
import { bitEdge } from '../../../support/command-line.ts';

/** For slow or busy machines: every command is a process, and a published version is run in another. */
vi.setConfig({ testTimeout: 60_000 });

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-store-'));
});
afterAll(async () => rm(root, { recursive: true, force: true }));

/** Writes a version's folder as import does: a network that averages the channels. */
async function writeVersion(
  version: string,
  heapBytes: number | null = null,
  { labels = 3, last = 'Relu' }: { labels?: number; last?: string } = {},
): Promise<string> {
  const folder = join(root, `out-${version}`);
  await mkdir(folder);
  const write = async (path: string, content: string | Uint8Array): Promise<FileReference> => {
    await writeFile(join(folder, path), content);
    const bytes = Buffer.from(content);
    return { path, bytes: bytes.length, sha256: sha256OfBytes(bytes) };
  };
  const input = { name: 'pixel_values', dtype: 'float32' as const, shape: ['batch', 3, 8, 8] };
  const logits = { name: 'logits', dtype: 'float32' as const, shape: ['batch', labels] };
  const manifest: Manifest = {
    schema_version: 1,
    name: 'tiny',
    version,
    created_at: '2026-01-01T00:00:00Z',
    source: { kind: 'huggingface', reference: 'here', sha256: null },
    config: {},
    num_labels: labels,
    labels: await write('labels.json', JSON.stringify(Array.from({ length: labels }, (_, i) => `class ${i}`))),
    preprocessor: await write('preprocessor.json', '{}'),
    report: null,
    attachments: [],
    variants: {
      fp32: {
        model: await write('model.onnx', averageGraph(version, input, logits, last)),
        weights: null,
        inputs: [input],
        outputs: [logits],
        macs: 1,
        parameters: 1,
        wasm_heap_bytes: heapBytes,
      },
    },
    default_variant: 'fp32',
  };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}

/** The average of each channel, and one operator more. */
function averageGraph(name: string, input: OnnxValue, output: OnnxValue, last: string): Uint8Array {
  const node = (opType: string, source: string, target: string): OnnxNode => {
    return { name: target, opType, domain: '', inputs: [source], outputs: [target], attributes: {} };
  };
  const nodes = [
    node('GlobalAveragePool', input.name, 'pooled'),
    node('Flatten', 'pooled', 'flat'),
    node(last, 'flat', output.name),
  ];
  const outputs = [{ ...output, shape: ['batch', 3] }];
  const graph = {
    producer: '',
    opsets: { '': 21 },
    graphName: name,
    inputs: [input],
    outputs,
    nodes,
    initializers: [],
  };
  return encodeOnnxModel(graph, null).model;
}

describe('publish', () => {
  it('runs a version once on a picture, and refuses what gives no numbers or too many of them', async () => {
    const store = ['--store', join(root, 'tried-bucket'), '--json'];
    for (const [version, shape, message] of [
      // No number has an area hyperbolic cosine below 1.
      ['no-number', { last: 'Acosh' }, /model_failed.*tiny@no-number gave "logits": 3 of 3 numbers are not finite/],
      ['misshapen', { labels: 2 }, /model_failed.*tiny@misshapen gave "logits" \[1,3\]; its manifest says \[1,2\]/],
    ] as const) {
      const refused = await bitEdge(['publish', await writeVersion(version, null, shape), ...store]);
      expect(refused).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringMatching(message) });
    }
    const list = await bitEdge(['list', ...store]);
    expect(list).toMatchObject({ exitCode: 0, stdout: expect.not.stringContaining('tiny') });
    expect(await bitEdge(['publish', await writeVersion('right', null), ...store])).toMatchObject({ exitCode: 0 });
  });

  it('refuses a version that cannot fit into an isolate, with the numbers, and takes it for a deployment with room', async () => {
    const folder = await writeVersion('heavy', 120 * 1024 * 1024);
    const store = ['--store', join(root, 'heavy-bucket'), '--json'];
    const refused = await bitEdge(['publish', folder, ...store]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/tiny@heavy needs 124\.0 MiB \(WASM heap 120\.0 MiB\); .* has 84\.0 MiB/);
    expect(await bitEdge(['list', ...store])).toMatchObject({
      exitCode: 0,
      stdout: expect.not.stringContaining('heavy'),
    });
    const taken = await bitEdge(['publish', folder, '--memory-mib', '256', ...store]);
    expect(taken).toMatchObject({ exitCode: 0 });
  });
});

describe('the store commands', () => {
  it('publish, list, move, roll back and delete, in a folder', async () => {
    const store = ['--store', join(root, 'bucket'), '--json'];
    const first = await writeVersion('1');
    const second = await writeVersion('2');
    const json = async (...args: string[]) => {
      const result = await bitEdge([...args, ...store]);
      expect(result).toMatchObject({ exitCode: 0 });
      return JSON.parse(result.stdout);
    };
    expect(await json('publish', first, '--alias', 'latest', '--alias', 'stable')).toMatchObject({
      version: '1',
      alreadyPublished: false,
      aliases: [{ alias: 'latest', from: null, to: '1' }, { alias: 'stable' }],
    });
    expect(await json('publish', second)).toMatchObject({ version: '2', aliases: [] });
    expect(await json('alias', 'tiny', 'latest', '2')).toEqual({ name: 'tiny', alias: 'latest', from: '1', to: '2' });
    expect(await json('list')).toMatchObject([
      { version: '1', aliases: ['stable'] },
      { version: '2', aliases: ['latest'] },
    ]);
    expect(await json('rollback', 'tiny')).toMatchObject({ from: '2', to: '1' });
    expect(await json('alias', 'tiny')).toMatchObject({
      aliases: [{ alias: 'latest', version: '1' }, { alias: 'stable' }],
    });

    const refused = await bitEdge(['delete', 'tiny', '1', ...store]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(refused.stderr).toContain('conflict: tiny/1 is what latest, stable names');
    expect((await json('delete', 'tiny', '2')).deleted).toHaveLength(4);
    expect(await json('list', 'tiny')).toHaveLength(1);
    expect(await json('gc', '--older-than', '0s')).toEqual({ deleted: [], dryRun: false });
  }, 60_000);

  it('publish to the local bucket of wrangler dev, and leave no process behind', async () => {
    const folder = await writeVersion('3');
    const state = ['--persist-to', join(root, 'state')];
    const published = await bitEdge(['publish', folder, '--alias', 'latest', ...state]);
    expect(published).toMatchObject({ exitCode: 0 });
    expect(published.stdout).toContain('tiny/3 published in local R2 bucket bit-edge-models: 3 of 3 files written');
    const again = await bitEdge(['publish', folder, ...state]);
    expect(again.stdout).toContain('was published before');
    expect(again.stdout).toContain('0 of 3 files written');
    expect((await bitEdge(['list', ...state])).stdout).toMatch(
      /^tiny\/3\s+2026-01-01T00:00:00Z\s+\S+ k?B\s+fp32\s+@latest\n$/,
    );
  }, 60_000);

  it('say in one line that the real bucket is out of reach', async () => {
    const result = await bitEdge(['list', '--remote'], {
      CLOUDFLARE_API_TOKEN: '',
      CLOUDFLARE_API_BASE_URL: 'http://127.0.0.1:1',
    });
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr).toContain('R2 bucket bit-edge-models is out of reach: ');
    expect(result.stderr).not.toContain('at async');
  }, 60_000);

  it.each([
    [['publish'], 'one folder is needed'],
    [['alias', 'tiny', 'latest'], 'NAME ALIAS VERSION'],
    [['rollback'], 'one NAME'],
    [['delete', 'tiny'], 'VERSION are needed'],
    [['gc', '--older-than', 'soon'], '"soon"'],
    [['list', '--colour'], '--colour'],
  ])('explain wrong usage: %j', async (args, message) => {
    const result = await bitEdge(args);
    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toContain(message);
  });

  it.each(['publish', 'alias', 'list', 'rollback', 'delete', 'gc'])('%s --help explains itself', async (name) => {
    const result = await bitEdge([name, '--help']);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toContain(`usage: bit-edge ${name}`);
  });

  it.each([
    ['a folder that is not there', ['publish', '/nowhere'], 'invalid_manifest: /nowhere/manifest.json'],
    ['a version that is not there', ['alias', 'tiny', 'latest', '9'], 'model_not_found: tiny has no version "9"'],
    ['a name that cannot be', ['delete', '../x', '1'], 'is not a model name'],
  ])('fail with one line about %s', async (_, args, message) => {
    const result = await bitEdge([...args, '--store', join(root, 'empty')]);
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(result.stderr).toContain(message);
  });
});
