/** How long it takes from the files in memory to a session that can run: the engine beside onnxruntime-web, in this process. */
import { dirname, join } from 'node:path';
import { startEngineSession } from '../../../worker/inference/engine/engine-session.ts';
import { planMemory } from '../../../worker/inference/engine/memory-plan.ts';
import { recognize } from '../../../worker/inference/engine/recognize.ts';
import type { InferenceSession } from '../../../worker/inference/inference-session.ts';
import { OrtRuntime } from '../../../worker/inference/runtime.ts';
import { readBytes } from '../../cli/files/read-file.ts';
import { compileWasm } from '../../cli/local-model.ts';
import { median } from '../suite.ts';

const ROUNDS = 5;
const MIB = 1024 * 1024;

/** Medians in ms, and what a run then takes of WASM memory. */
export interface Creation {
  /** Recognising, planning, taking the memory and packing all weights. */
  readonly engineMs: number;
  /** onnxruntime's instance and its session. */
  readonly onnxruntimeMs: number;
  readonly engineHeapMib: number;
  readonly onnxruntimeHeapMib: number;
}

/**
 * Makes sessions of both sorts in turn.
 * @param file an int8 graph, its weights beside it under `weightsFile`.
 * @throws Error where the engine does not run it.
 */
export async function measureCreation(file: string, weightsFile: string): Promise<Creation> {
  const modules = await compileWasm();
  const model = await readBytes(file);
  const weights = await readBytes(join(dirname(file), weightsFile));
  const heapMib = { engine: 0, onnxruntime: 0 };
  const engine = (): InferenceSession => {
    const recognition = recognize(model, { path: weightsFile, bytes: weights.byteLength });
    if (recognition.kind === 'other') throw new Error(`the engine does not run ${file}: ${recognition.reason}`);
    const { network } = recognition;
    const plan = planMemory(network)!;
    const session = startEngineSession(modules.engine, network, plan);
    session.weights.write(weights);
    heapMib.engine = plan.bytes / MIB;
    return session.finish();
  };
  let runtime: OrtRuntime | null = null;
  const onnxruntime = async (): Promise<InferenceSession> => {
    runtime = await OrtRuntime.start(modules);
    return runtime.createSession(model, { externalData: new Map([[weightsFile, weights]]) });
  };
  const times = { engine: [] as number[], onnxruntime: [] as number[] };
  // The first round is not counted: V8 compiles while it runs.
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, make] of [
      ['engine', engine],
      ['onnxruntime', onnxruntime],
    ] as const) {
      const start = performance.now();
      const session = await make();
      if (round >= 0) times[name].push(performance.now() - start);
      if (round === ROUNDS - 1 && name === 'onnxruntime') heapMib.onnxruntime = heapOfRun(session, runtime!);
      session.release();
    }
  }
  return {
    engineMs: median(times.engine),
    onnxruntimeMs: median(times.onnxruntime),
    engineHeapMib: heapMib.engine,
    onnxruntimeHeapMib: heapMib.onnxruntime,
  };
}

/** What onnxruntime's heap comes to with one image. */
function heapOfRun(session: InferenceSession, runtime: OrtRuntime): number {
  const [input] = session.inputs;
  const shape = [1, ...input!.shape.slice(1).map(Number)];
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  session.run(new Map([[input!.name, { type: 'float32', shape, data }]]), ['logits']);
  return runtime.heapBytes / MIB;
}
