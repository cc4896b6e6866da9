/** `npm run gpu`: says what to do where the backend's own packages are not installed, and starts it where they are. */
import { existsSync } from 'node:fs';

if (existsSync(new URL('./node_modules/onnxruntime-node/package.json', import.meta.url))) {
  await import('./main.ts');
} else {
  process.stderr.write('gpu-backend: not installed; run once: npm ci --prefix gpu-backend (290 MB)\n');
  process.exitCode = 2;
}
