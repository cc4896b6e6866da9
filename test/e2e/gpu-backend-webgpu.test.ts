import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GOLDENS, pictures, SIDE_PX, writeModel } from '../support/gpu-model.ts';
import { BACKEND_INSTALLED, killAll, SKIP_REASON, startBackend, untilReady } from '../support/gpu-process.ts';

/** The small random model: SwiftShader needs seconds for one picture with the default model. */
const MODEL = 'random';

/** SwiftShader, a Vulkan driver in software, as Debian's chromium package ships it; the loader lies beside it. */
const SWIFTSHADER_ICD = '/usr/lib/chromium/vk_swiftshader_icd.json';
const HAS_SWIFTSHADER = existsSync(SWIFTSHADER_ICD);
const NO_DRIVER = HAS_SWIFTSHADER ? '' : ` (skipped: no ${SWIFTSHADER_ICD}; Debian's package chromium has it)`;

describe.skipIf(!BACKEND_INSTALLED || !HAS_SWIFTSHADER)(`the GPU backend on WebGPU${SKIP_REASON}${NO_DRIVER}`, () => {
  let store = '';
  const env = () => ({
    GPU_STORE: store,
    GPU_MAX_BATCH: '2',
    VK_ICD_FILENAMES: SWIFTSHADER_ICD,
    LD_LIBRARY_PATH: dirname(SWIFTSHADER_ICD),
  });

  beforeAll(async () => {
    store = await mkdtemp(join(tmpdir(), 'gpu-store-'));
    await writeModel(store, MODEL);
  });
  afterAll(async () => {
    killAll();
    await rm(store, { recursive: true });
  });

  test('webgpu is chosen before cpu, agrees with it, and answers as Hugging Face transformers does to 1e-2', async () => {
    const backend = await startBackend({ ...env(), GPU_PROVIDERS: 'cuda,webgpu,cpu' });
    await untilReady(backend);
    const loaded = backend.log.find(({ event }) => event === 'model_loaded')!;
    expect(loaded).toMatchObject({
      provider: 'webgpu',
      // SwiftShader has no float16: the graph was widened for it.
      precision: 'float32',
      rejected: [
        { provider: 'cuda' },
        { provider: 'webgpu', precision: 'float16', reason: expect.stringContaining('f16') },
      ],
    });
    expect(Number(loaded.deviation)).toBeLessThan(1e-3);
    const indices = [0, 1];
    const header = JSON.stringify({
      inputs: [
        {
          name: 'image',
          shape: [2, SIDE_PX, SIDE_PX, 3],
          datatype: 'UINT8',
          parameters: { binary_data_size: 2 * SIDE_PX * SIDE_PX * 3 },
        },
      ],
      outputs: [{ name: 'logits' }],
    });
    const response = await backend.fetch('/v2/models/random/infer', {
      method: 'POST',
      body: new Blob([header, pictures(indices)]),
      headers: { 'inference-header-content-length': String(header.length) },
    });
    const answer = (await response.json()) as { outputs: { data: number[] }[] };
    const expected = indices.flatMap((index) => GOLDENS[MODEL].logits[index]!);
    const difference = Math.max(...answer.outputs[0]!.data.map((value, index) => Math.abs(value - expected[index]!)));
    expect(difference).toBeLessThan(1e-2);
    backend.process.kill('SIGTERM');
    expect(await backend.exit).toBe(0);
  });

  test('without a Vulkan driver cpu answers, and the log says why', async () => {
    const backend = await startBackend({ ...env(), VK_ICD_FILENAMES: '/dev/null', GPU_PROVIDERS: 'webgpu,cpu' });
    await untilReady(backend);
    expect(backend.log.find(({ event }) => event === 'model_loaded')).toMatchObject({
      provider: 'cpu',
      rejected: [
        { provider: 'webgpu', precision: 'float16', reason: expect.stringContaining('adapter') },
        { provider: 'webgpu', precision: 'float32', reason: expect.stringContaining('adapter') },
      ],
    });
    backend.process.kill('SIGTERM');
    expect(await backend.exit).toBe(0);
  });
});
