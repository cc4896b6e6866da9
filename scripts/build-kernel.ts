/** `npm run kernel`: assembles worker/inference/kernels/quantized-gemm.wat. A test holds the file that is committed against it. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import loadWabt from 'wabt';

const FOLDER = new URL('../worker/inference/kernels/', import.meta.url);

/** The kernel's assembled bytes. @throws Error naming line and column of what is no WebAssembly text. */
export async function assembleKernel(): Promise<Uint8Array> {
  const name = 'quantized-gemm.wat';
  const wabt = await loadWabt();
  const features = { simd: true, threads: true, multi_memory: true };
  const module = wabt.parseWat(name, await readFile(new URL(name, FOLDER)), features);
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

if (import.meta.main) {
  const target = new URL('quantized-gemm.wasm', FOLDER);
  const bytes = await assembleKernel();
  await writeFile(target, bytes);
  process.stdout.write(`${fileURLToPath(target)}: ${bytes.length} bytes\n`);
}
