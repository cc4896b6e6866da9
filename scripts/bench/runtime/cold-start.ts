/** Cold starts: a fresh process, nothing in the colo's cache, one request. */
import { deploy, type LoadStages } from './deployment.ts';
import { LoadClient } from './load.ts';

/** One cold start, in ms. */
export interface ColdStart extends LoadStages {
  /** From the request to its whole answer: the stages, and decoding and the first inference behind them. */
  readonly firstAnswerMs: number;
}

/** Starts the worker `count` times. @throws Error where a first request is not answered with 200. */
export async function measureColdStarts(state: string, image: Uint8Array, count: number): Promise<ColdStart[]> {
  const starts: ColdStart[] = [];
  for (let i = 0; i < count; i++) starts.push(await measureColdStart(state, image));
  return starts;
}

async function measureColdStart(state: string, image: Uint8Array): Promise<ColdStart> {
  const deployment = await deploy(state);
  const client = new LoadClient(deployment.url, 1);
  try {
    const answer = await client.post('/v1/classify', image);
    if (answer.status !== 200) throw new Error(`the first request was answered ${answer.status}: ${answer.body}`);
    return { firstAnswerMs: answer.ms, ...(await deployment.loadStages()) };
  } finally {
    client.close();
    await deployment.stop();
  }
}
