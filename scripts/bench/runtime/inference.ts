/** Inference of the same networks, side by side: in workerd by the engine and by onnxruntime-web, and in onnxruntime-node with one thread. */
import { median } from '../suite.ts';
import { deploy } from './deployment.ts';
import { LoadClient } from './load.ts';
import { MODELS } from './models.ts';
import { type NodeSession, openNodeSession } from './node-session.ts';
import { type InferenceRow, SIDES, type Side } from './result.ts';

/** Loads every model of the comparison at once: more than an isolate has. */
const BUDGET_BYTES = 1024 ** 3;
const R50_SIDE_PX = 224;

/** Untimed rounds: V8 has compiled what is hot after six or so. */
const WARM_ROUNDS = 8;

/** What to compare. */
export interface InferenceOptions {
  /** State folder that holds the models. */
  readonly state: string;
  /** An encoded image. */
  readonly image: Uint8Array;
  /** Name of the default model. */
  readonly defaultInt8: string;
  readonly r50Int8File: string;
  readonly r50QdqFile: string;
  /** Timed rounds. */
  readonly runs: number;
  print(line: string): void;
}

interface Contender {
  readonly side: Side;
  /** Runs it once; milliseconds. */
  run(): Promise<number>;
}

/** Runs every side once a round, in an order that rotates. @throws Error where a side does not answer. */
export async function measureInference(options: InferenceOptions): Promise<InferenceRow[]> {
  const { state, image, defaultInt8, r50Int8File, r50QdqFile, runs, print } = options;
  const variables = { MEMORY_BUDGET_BYTES: String(BUDGET_BYTES) };
  const deployment = await deploy(state, variables);
  // The same int8 files without the engine.
  const other = await deploy(state, { ...variables, INFERENCE_ENGINE: 'onnxruntime' });
  const client = new LoadClient(deployment.url, 1);
  const otherClient = new LoadClient(other.url, 1);
  const sessions: NodeSession[] = [];
  const inWorkerd = (side: Side, model: string): Contender => ({ side, run: () => infer(client, model, image) });
  const inOnnxruntime = (side: Side, model: string): Contender => {
    return { side, run: () => infer(otherClient, model, image) };
  };
  const inNode = async (side: Side, file: string): Promise<Contender[]> => {
    const session = await openNodeSession(file, R50_SIDE_PX);
    if (session === null) {
      print(`${side}: skipped, onnxruntime-node is not installed; run "npm ci --prefix gpu-backend"`);
      return [];
    }
    sessions.push(session);
    return [{ side, run: () => session.run() }];
  };
  try {
    const contenders = [
      inWorkerd(SIDES.r50Int8, MODELS.r50Int8),
      inOnnxruntime(SIDES.r50Int8Onnxruntime, MODELS.r50Int8),
      inWorkerd(SIDES.r50Qdq, MODELS.r50Qdq),
      inWorkerd(SIDES.r50Fp32, MODELS.r50Fp32),
      ...(await inNode(SIDES.r50Int8Node, r50Int8File)),
      ...(await inNode(SIDES.r50QdqNode, r50QdqFile)),
      inWorkerd(SIDES.r50Int8At448, MODELS.r50Int8At448),
      inOnnxruntime(SIDES.r50Int8At448Onnxruntime, MODELS.r50Int8At448),
      inWorkerd(SIDES.r50Fp32At448, MODELS.r50Fp32At448),
      inWorkerd(SIDES.defaultInt8, defaultInt8),
      inOnnxruntime(SIDES.defaultInt8Onnxruntime, defaultInt8),
      inWorkerd(SIDES.defaultFp32, MODELS.defaultFp32),
    ];
    return await inTurn(contenders, runs);
  } finally {
    client.close();
    otherClient.close();
    for (const session of sessions) session.close();
    await deployment.stop();
    await other.stop();
  }
}

async function inTurn(contenders: readonly Contender[], runs: number): Promise<InferenceRow[]> {
  const times = contenders.map((): number[] => []);
  for (let round = -WARM_ROUNDS; round < runs; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const at = (Math.max(0, round) + i) % contenders.length;
      const taken = await contenders[at]!.run();
      if (round >= 0) times[at]!.push(taken);
    }
  }
  return contenders.map(({ side }, i) => {
    const taken = times[i]!;
    return { side, medianMs: median(taken), fastestMs: Math.min(...taken), runs: taken.length };
  });
}

async function infer(client: LoadClient, model: string, image: Uint8Array): Promise<number> {
  const answer = await client.post(`/v1/classify?model=${model}`, image);
  const { timing } = JSON.parse(answer.body) as { timing?: { inference_ms?: number } };
  if (timing?.inference_ms === undefined) throw new Error(`${model} was answered ${answer.status}: ${answer.body}`);
  return timing.inference_ms;
}
