/** Cold starts: a fresh process, nothing in the colo's cache, one request. */
import { deploy, type LoadStages } from './deployment.ts';
import { LoadClient } from './load.ts';

/** One cold start, in ms. */
export interface ColdStart extends LoadStages {
  /** From the request to its whole answer: the stages, and decoding and the first inference behind them. */
  readonly firstAnswerMs: number;
}

/** Cold starts of one model in the engine and in onnxruntime. */
export interface ColdPair {
  readonly engine: readonly ColdStart[];
  readonly onnxruntime: readonly ColdStart[];
}

/** Starts the worker `count` times. @throws Error where a first request is not answered with 200. */
export async function measureColdStarts(state: string, image: Uint8Array, count: number): Promise<ColdStart[]> {
  const starts: ColdStart[] = [];
  for (let i = 0; i < count; i++) starts.push(await measureColdStart(state, '/v1/classify', image, {}));
  return starts;
}

/** The same for a model, `count` times with either engine, in turn. */
export async function measureColdPair(
  state: string,
  model: string,
  image: Uint8Array,
  count: number,
): Promise<ColdPair> {
  const starts = { engine: [] as ColdStart[], onnxruntime: [] as ColdStart[] };
  for (let i = 0; i < count; i++) {
    for (const [name, engine] of [
      ['engine', 'auto'],
      ['onnxruntime', 'onnxruntime'],
    ] as const) {
      const variables = { INFERENCE_ENGINE: engine };
      starts[name].push(await measureColdStart(state, `/v1/classify?model=${model}`, image, variables));
    }
  }
  return starts;
}

async function measureColdStart(
  state: string,
  path: string,
  image: Uint8Array,
  variables: Readonly<Record<string, string>>,
): Promise<ColdStart> {
  const deployment = await deploy(state, variables);
  const client = new LoadClient(deployment.url, 1);
  try {
    const answer = await client.post(path, image);
    if (answer.status !== 200) throw new Error(`the first request was answered ${answer.status}: ${answer.body}`);
    return { firstAnswerMs: answer.ms, ...(await deployment.loadStages()) };
  } finally {
    client.close();
    await deployment.stop();
  }
}
