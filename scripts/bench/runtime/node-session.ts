/**
 * A graph in onnxruntime-node with one thread, in a process of its own: `node node-session.ts MODEL SIDE_PX`. Every line on
 * standard input runs it once; the answer is a line with the milliseconds it took.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BACKEND_FOLDER = new URL('../../../gpu-backend/', import.meta.url);

/** A session in a child process. */
export interface NodeSession {
  /** Runs it once; milliseconds. */
  run(): Promise<number>;
  close(): void;
}

/** Opens a graph with one input `[1, 3, sidePx, sidePx]`; null where onnxruntime-node is not installed. */
export async function openNodeSession(modelFile: string, sidePx: number): Promise<NodeSession | null> {
  if (!existsSync(new URL('node_modules/onnxruntime-node', BACKEND_FOLDER))) return null;
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(import.meta.url), modelFile, String(sidePx)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`onnxruntime-node ended on ${modelFile}`);
    return value;
  };
  await next();
  return {
    async run() {
      child.stdin!.write('\n');
      return Number(await next());
    },
    close: () => void child.kill(),
  };
}

interface NodeOrt {
  readonly InferenceSession: {
    create(
      path: string,
      options: { readonly intraOpNumThreads: number; readonly interOpNumThreads: number },
    ): Promise<{
      readonly inputNames: readonly string[];
      readonly outputNames: readonly string[];
      run(feeds: Readonly<Record<string, unknown>>, fetches: readonly string[]): Promise<unknown>;
    }>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => unknown;
}

async function main([modelFile = '', side = '']: readonly string[]): Promise<void> {
  const require = createRequire(new URL('package.json', BACKEND_FOLDER));
  const ort = require('onnxruntime-node') as NodeOrt;
  const session = await ort.InferenceSession.create(modelFile, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const dims = [1, 3, Number(side), Number(side)];
  const data = new Float32Array(dims.reduce((product, size) => product * size, 1));
  for (let i = 0; i < data.length; i++) data[i] = ((i * 2654435761) >>> 0) / 2 ** 31 - 1;
  const feeds = { [session.inputNames[0] ?? '']: new ort.Tensor('float32', data, dims) };
  const fetches = session.outputNames.filter((name) => name === 'logits');
  process.stdout.write('ready\n');
  for await (const _line of createInterface({ input: process.stdin })) {
    const start = performance.now();
    await session.run(feeds, fetches);
    process.stdout.write(`${performance.now() - start}\n`);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
