import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../../../../scripts/cli/commands/export.ts';
import { writeVersion } from '../../../../support/gpu-store.ts';

let root = '';
let printed = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bit-edge-export-'));
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true });
});

async function version(withoutGpu = false): Promise<string> {
  await writeVersion(root, {
    name: 'bit-tiny',
    version: '2026-11-23',
    onnx: Uint8Array.of(1, 2, 3),
    weights: { path: 'weights-gpu.bin', bytes: Uint8Array.of(4, 5) },
    inputs: [{ name: 'image', dtype: 'uint8', shape: ['batch', 224, 224, 3] }],
    outputs: [
      { name: 'logits', dtype: 'float32', shape: ['batch', 2] },
      { name: 'pooler_output', dtype: 'float16', shape: ['batch', 64, 1, 'width'] },
    ],
    labels: ['tabby\ncat', 'dog'],
    sidePx: 224,
    withoutGpu,
  });
  return join(root, 'models/bit-tiny/2026-11-23');
}

describe('bit-edge export --triton', () => {
  test('writes the repository that Triton documents', async () => {
    const triton = join(root, 'repository');
    expect(await run([await version(), '--triton', triton, '--number', '3', '--max-batch', '16', '--json'])).toBe(0);
    const directory = join(triton, 'bit-tiny');
    expect(await readFile(join(directory, 'config.pbtxt'), 'utf8')).toBe(`# bit-edge bit-tiny 2026-11-23
name: "bit-tiny"
platform: "onnxruntime_onnx"
backend: "onnxruntime"
default_model_filename: "gpu.onnx"
max_batch_size: 16
input [
  {
    name: "image"
    data_type: TYPE_UINT8
    dims: [ 224, 224, 3 ]
  }
]
output [
  {
    name: "logits"
    data_type: TYPE_FP32
    dims: [ 2 ]
    label_filename: "labels.txt"
  }
]
output [
  {
    name: "pooler_output"
    data_type: TYPE_FP16
    dims: [ 64, 1, -1 ]
  }
]
version_policy: { specific: { versions: [ 3 ] } }
dynamic_batching {
  preferred_batch_size: [ 4, 8, 16 ]
  max_queue_delay_microseconds: 5000
}
instance_group [
  {
    count: 1
    kind: KIND_GPU
  }
]
parameters: { key: "bit_edge_version" value: { string_value: "2026-11-23" } }
`);
    expect(await readFile(join(directory, 'labels.txt'), 'utf8')).toBe('tabby cat\ndog\n');
    expect((await readdir(directory, { recursive: true })).sort()).toEqual([
      '3',
      '3/gpu.onnx',
      '3/weights-gpu.bin',
      'config.pbtxt',
      'labels.txt',
    ]);
    expect(await readFile(join(directory, '3/weights-gpu.bin'))).toEqual(Buffer.of(4, 5));
    expect(JSON.parse(printed)).toMatchObject({ model: 'bit-tiny', version: '2026-11-23', number: 3 });
  });

  test('a second version joins the first', async () => {
    const triton = join(root, 'repository');
    await run([await version(), '--triton', triton]);
    await run([await version(), '--triton', triton, '--number', '2', '--cpu']);
    expect((await readdir(join(triton, 'bit-tiny'))).sort()).toEqual(['1', '2', 'config.pbtxt', 'labels.txt']);
    const config = await readFile(join(triton, 'bit-tiny/config.pbtxt'), 'utf8');
    expect([config.includes('versions: [ 2 ]'), config.includes('KIND_CPU')]).toEqual([true, true]);
  });

  test('a damaged file is refused, and no configuration names it', async () => {
    const folder = await version();
    await writeFile(join(folder, 'gpu.onnx'), Uint8Array.of(1, 2, 4));
    await expect(run([folder, '--triton', join(root, 'r')])).rejects.toMatchObject({ code: 'model_corrupt' });
    expect(await readdir(join(root, 'r/bit-tiny'))).toEqual(['1']);
  });

  test('a version without the gpu variant is refused, and nothing is written', async () => {
    await expect(run([await version(true), '--triton', join(root, 'r')])).rejects.toThrow(
      'has no variant "gpu"; it has fp32',
    );
    await expect(readdir(join(root, 'r'))).rejects.toThrow('ENOENT');
  });

  test('a folder that is no version is refused', async () => {
    await expect(run([root, '--triton', join(root, 'r')])).rejects.toMatchObject({ code: 'model_unavailable' });
  });

  test.each([
    [['--number', '0'], '--number'],
    [['--max-batch', 'x'], '--max-batch'],
    [['--max-delay-us', '-1'], 'max-delay-us'],
  ])('%j is refused by name', async (more, name) => {
    await expect(run([await version(), '--triton', join(root, 'r'), ...more])).rejects.toThrow(name);
  });

  test('wrong usage is exit code 2, --help 0', async () => {
    expect([await run([]), await run(['x']), await run(['--help'])]).toEqual([2, 2, 0]);
  });
});
