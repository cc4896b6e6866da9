/**
 * `npm run gpu`: starts the backend from a checkout. Says what to do where its packages are not installed; without
 * `GPU_STORE` it serves the default model, which it builds into `dist/gpu-store`.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

if (existsSync(join(ROOT, 'gpu-backend/node_modules/onnxruntime-node/package.json'))) {
  if (!process.env.GPU_STORE) {
    const { buildDefaultModel } = await import('../scripts/cli/build-default-model.ts');
    const store = join(ROOT, 'dist/gpu-store');
    await rm(store, { recursive: true, force: true });
    await buildDefaultModel(join(store, 'models'));
    process.env.GPU_STORE = store;
  }
  await import('./main.ts');
} else {
  process.stderr.write('gpu-backend: not installed; run once: npm ci --prefix gpu-backend (290 MB)\n');
  process.exitCode = 2;
}
