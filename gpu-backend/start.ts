/**
 * `npm run gpu`: starts the backend from a checkout. Says what to do where its packages are not installed; without
 * `GPU_STORE` it serves the default model, built once into `dist/gpu-store`.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../', import.meta.url);

if (existsSync(new URL('gpu-backend/node_modules/onnxruntime-node/package.json', ROOT))) {
  if (!process.env.GPU_STORE) {
    const { buildDefaultModel } = await import('../scripts/build-default-model.ts');
    const store = fileURLToPath(new URL('dist/gpu-store', ROOT));
    await buildDefaultModel(`${store}/models`);
    process.env.GPU_STORE = store;
  }
  await import('./main.ts');
} else {
  process.stderr.write('gpu-backend: not installed; run once: npm ci --prefix gpu-backend (290 MB)\n');
  process.exitCode = 2;
}
