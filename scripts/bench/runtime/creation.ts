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

/** Medians in ms. */
export interface Creation {
  /** Recognising, planning, taking the memory and packing all weights. */
  readonly engineMs: number;
  /** onnxruntime's instance and its session. */
  readonly onnxruntimeMs: number;
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
  const engine = (): InferenceSession => {
    const recognition = recognize(model, { path: weightsFile, bytes: weights.byteLength });
    if (recognition.kind === 'other') throw new Error(`the engine does not run ${file}: ${recognition.reason}`);
    const { network } = recognition;
    const session = startEngineSession(modules.engine, network, planMemory(network)!);
    session.weights.write(weights);
    return session.finish();
  };
  const onnxruntime = async (): Promise<InferenceSession> => {
    const runtime = await OrtRuntime.start(modules);
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
      session.release();
    }
  }
  return { engineMs: median(times.engine), onnxruntimeMs: median(times.onnxruntime) };
}
