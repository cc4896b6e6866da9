/** The worker's own classifier in Node, over one version's folder: for the command line. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { startPortableDigest } from '../../model-store/digest.ts';
import { type Manifest, parseManifest } from '../../model-store/manifest.ts';
import { MemoryObjectStore } from '../../model-store/memory-object-store.ts';
import { publishVersion } from '../../model-store/publish.ts';
import { readEngineChoice } from '../../worker/config.ts';
import { DEFAULT_LIMITS } from '../../worker/imaging/limits.ts';
import { Classifier, type ModelReference } from '../../worker/inference/classifier.ts';
import { MemoryBudget } from '../../worker/inference/memory-budget.ts';
import { ModelHost } from '../../worker/inference/model-host.ts';
import type { WasmModules } from '../../worker/inference/runtime.ts';

const ALIAS_MAX_AGE_MS = 60_000;

/** A command line has the machine's memory, not an isolate's. */
const LOCAL_MEMORY_BYTES = 4 * 1024 ** 3;

/** A classifier and the one model that it knows. */
export interface LocalModel {
  readonly manifest: Manifest;
  readonly reference: ModelReference;
  readonly host: ModelHost;
  readonly classifier: Classifier;
}

/** The worker's WASM files, compiled. */
export async function compileWasm(): Promise<WasmModules> {
  const onnxruntime = createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm');
  const quantizedGemm = new URL('../../worker/inference/kernels/quantized-gemm.wasm', import.meta.url);
  const engine = new URL('../../worker/inference/engine/kernels/engine.wasm', import.meta.url);
  return {
    onnxruntime: await WebAssembly.compile(await readFile(onnxruntime)),
    quantizedGemm: await WebAssembly.compile(await readFile(quantizedGemm)),
    engine: await WebAssembly.compile(await readFile(engine)),
  };
}

/**
 * Opens a version's folder (manifest.json and the files it names).
 * @throws ModelError `invalid_manifest`; Error where there is no manifest.
 */
export async function openLocalModel(folder: string): Promise<LocalModel> {
  const text = await readFile(join(folder, 'manifest.json'), 'utf8');
  const manifest = parseManifest(text);
  const store = new MemoryObjectStore();
  await publishVersion(store, { manifest: text, read: (path) => readFile(join(folder, path)) });
  const budget = new MemoryBudget({
    limitBytes: LOCAL_MEMORY_BYTES,
    baselineBytes: 0,
    maxLeases: 1000,
    smallBytes: 0,
    maxWaiting: 1000,
    maxWaitMs: 60_000,
    maxLeaseAgeMs: 600_000,
    heapBytes: () => host.heapBytes,
    now: () => Date.now(),
    after(ms, call) {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
  });
  const host = new ModelHost({
    store,
    blobs: null,
    budget,
    modelBytes: LOCAL_MEMORY_BYTES,
    onLoaded: () => {},
    wasmModules: await compileWasm(),
    engine: readEngineChoice(process.env),
    aliasMaxAgeMs: ALIAS_MAX_AGE_MS,
    startDigest: startPortableDigest,
    now: () => Date.now(),
    onBackgroundError: (error) => process.stderr.write(`${String(error)}\n`),
  });
  const classifier = new Classifier({
    host,
    budget,
    limits: DEFAULT_LIMITS,
    images: null,
    now: () => performance.now(),
  });
  return { manifest, reference: { name: manifest.name, reference: manifest.version }, host, classifier };
}
