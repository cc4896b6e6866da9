/**
 * `npm run gpu [-- work]`: starts the backend from a checkout. Says what to do where its packages are not installed; without
 * `GPU_STORE` it serves the default model, which it builds into `dist/gpu-store`.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runScript } from '../scripts/process/run-script.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const USAGE = `usage: npm run gpu
       npm run gpu -- work --url https://DEPLOYMENT --key bek_...

Serves models for batches over the Open Inference Protocol on http://127.0.0.1:8700. Settings are environment variables:
GPU_STORE (default: the default model, built into dist/gpu-store), GPU_PORT, GPU_PROVIDERS and more: docs/gpu-backend.md.
SIGTERM answers what was accepted, then ends.
With "work" it pulls bulk jobs from a deployment instead: npm run gpu -- work --help.
`;

/** What a worker is started with has flags of its own. */
const isWork = process.argv[2] === 'work';
if (isWork) process.argv.splice(2, 1);
const workArguments = isWork ? process.argv.splice(2) : [];

await runScript({ name: 'gpu', usage: USAGE, options: {}, signalExitCode: null }, async () => {
  if (!existsSync(join(ROOT, 'gpu-backend/node_modules/onnxruntime-node/package.json'))) {
    process.stderr.write('gpu-backend: not installed; run once: npm ci --prefix gpu-backend (290 MB)\n');
    return 2;
  }
  if (isWork) {
    const { runWork } = await import('./work/main.ts');
    return runWork(workArguments, process.env);
  }
  if (!process.env.GPU_STORE) {
    const { buildDefaultModel } = await import('../scripts/cli/build-default-model.ts');
    const store = join(ROOT, 'dist/gpu-store');
    await rm(store, { recursive: true, force: true });
    await buildDefaultModel(join(store, 'models'));
    process.env.GPU_STORE = store;
  }
  await import('./main.ts');
  return 0;
});
