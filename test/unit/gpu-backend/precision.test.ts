import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formsFor, graphForms } from '../../../gpu-backend/precision.ts';
import { decodeOnnxModel } from '../../../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../../../model-store/onnx/encode.ts';
import type { OnnxDtype } from '../../../model-store/onnx/onnx-model.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gpu-precision-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Writes a graph of one weight of 1000 elements, large enough to lie in an external file. */
async function writeGraph(dtype: OnnxDtype, elementBytes: number): Promise<string> {
  const { model, weights } = encodeOnnxModel(
    {
      producer: 'test',
      opsets: { '': 21 },
      graphName: 'g',
      inputs: [{ name: 'x', dtype: 'float32', shape: [1] }],
      outputs: [{ name: 'y', dtype: 'float32', shape: [1] }],
      nodes: [{ name: 'n', opType: 'Identity', domain: '', inputs: ['x'], outputs: ['y'], attributes: {} }],
      initializers: [{ name: 'w', dtype, shape: [1000], data: new Uint8Array(1000 * elementBytes) }],
    },
    'weights-gpu.bin',
  );
  await writeFile(join(folder, 'weights-gpu.bin'), weights!);
  await writeFile(join(folder, 'model.onnx'), model);
  return join(folder, 'model.onnx');
}

test('a float16 graph runs as it is on CUDA, either way on WebGPU, widened on a CPU', async () => {
  const forms = await graphForms(await writeGraph('float16', 2));
  const precisions = (['cuda', 'webgpu', 'cpu'] as const).map((provider) =>
    formsFor(provider, forms).map((form) => form.precision),
  );
  expect(precisions).toEqual([['float16'], ['float16', 'float32'], ['float32']]);
  const { path } = forms.widened!;
  const external = new Map([['weights.bin', await readFile(join(dirname(path), 'weights.bin'))]]);
  expect(decodeOnnxModel(await readFile(path), external).initializers[0]).toMatchObject({
    dtype: 'float32',
    shape: [1000],
  });
  await forms.dispose();
  expect([existsSync(path), existsSync(forms.stored.path)]).toEqual([false, true]);
});

test('a float32 graph has one form', async () => {
  const forms = await graphForms(await writeGraph('float32', 4));
  expect(formsFor('webgpu', forms)).toEqual([{ path: forms.stored.path, precision: 'float32' }]);
});

test('a file that we cannot read is left to onnxruntime', async () => {
  const path = join(folder, 'model.onnx');
  await writeFile(path, 'not a graph');
  expect(formsFor('cpu', await graphForms(path))).toEqual([{ path, precision: 'unknown' }]);
});
