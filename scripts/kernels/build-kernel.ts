/**
 * `npm run kernel`: assembles worker/inference/kernels/quantized-gemm.wat, and compiles worker/inference/engine/kernels and
 * worker/heads/kernels. Tests hold the files that are committed against them.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { main as compileAssemblyScript } from 'assemblyscript/asc';
import loadWabt from 'wabt';
import { runScript } from '../process/run-script.ts';

const ROOT = new URL('../../', import.meta.url);
const GEMM_FOLDER = new URL('worker/inference/kernels/', ROOT);
const ENGINE_FOLDER = new URL('worker/inference/engine/kernels/', ROOT);
const HEADS_FOLDER = new URL('worker/heads/kernels/', ROOT);

/** Not `-O3`: it moves loads to where they are used, which takes a sixth more time in the product's inner loop. */
const ASC_OPTIONS = [
  '-O2',
  '--noAssert',
  '--enable',
  'simd',
  '--runtime',
  'stub',
  '--importMemory',
  '--memoryBase',
  '16',
];

/** The product's assembled bytes. @throws Error naming line and column of what is no WebAssembly text. */
export async function assembleKernel(): Promise<Uint8Array> {
  const name = 'quantized-gemm.wat';
  const wabt = await loadWabt();
  const features = { simd: true, threads: true, multi_memory: true };
  const module = wabt.parseWat(name, await readFile(new URL(name, GEMM_FOLDER)), features);
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

/** The engine's compiled kernels. @throws Error with the compiler's messages. */
export function compileEngineKernels(): Promise<Uint8Array> {
  return compileFolder(ENGINE_FOLDER);
}

/** The compiled kernels of heads. @throws Error with the compiler's messages. */
export function compileHeadKernels(): Promise<Uint8Array> {
  return compileFolder(HEADS_FOLDER);
}

async function compileFolder(folder: URL): Promise<Uint8Array> {
  let binary: Uint8Array | null = null;
  const { error, stderr } = await compileAssemblyScript(['index.ts', '--outFile', 'kernels.wasm', ...ASC_OPTIONS], {
    readFile: (name, base) => readFile(new URL(name, new URL(`${base}/`, folder)), 'utf8').catch(() => null),
    writeFile: (_name, contents) => {
      binary = Buffer.from(contents);
    },
    listFiles: () => [],
  });
  if (error !== null || binary === null) throw new Error(`${folder.pathname} does not compile:\n${stderr.toString()}`);
  return binary;
}

async function write(target: URL, bytes: Uint8Array): Promise<void> {
  await writeFile(target, bytes);
  process.stdout.write(`${fileURLToPath(target)}: ${bytes.length} bytes\n`);
}

if (import.meta.main) {
  const usage = 'usage: npm run kernel\n\nAssembles and compiles the WASM kernels; the files are committed.\n';
  await runScript({ name: 'kernel', usage, options: {} }, async () => {
    await write(new URL('quantized-gemm.wasm', GEMM_FOLDER), await assembleKernel());
    await write(new URL('engine.wasm', ENGINE_FOLDER), await compileEngineKernels());
    await write(new URL('heads.wasm', HEADS_FOLDER), await compileHeadKernels());
    return 0;
  });
}
