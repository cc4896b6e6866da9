import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { compileEngineKernels } from '../../../../scripts/kernels/build-kernel.ts';

const KERNEL_FILE = new URL('../../../../worker/inference/engine/kernels/engine.wasm', import.meta.url);

it('is the file that its source compiles to: run "npm run kernel"', async () => {
  expect(Buffer.compare(await compileEngineKernels(), await readFile(KERNEL_FILE))).toBe(0);
}, 60_000);
