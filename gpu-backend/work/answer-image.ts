/** One item of a chunk: read, decoded, run in a batch with others, and made an answer with the edge's own code. */
import { ModelError } from '../../worker/errors.ts';
import type { FetchFunction } from '../../worker/fetch/safe-fetch.ts';
import type { UrlPolicy } from '../../worker/fetch/url-policy.ts';
import type { ImageLimits } from '../../worker/imaging/limits.ts';
import { checkAnswer } from '../../worker/inference/check-answer.ts';
import { embeddingOf, predictionsOf } from '../../worker/jobs/network-answer.ts';
import type { WorkAnswer } from '../../worker/jobs/work/records.ts';
import type { ByteGate } from './byte-gate.ts';
import type { DecodePool } from './decode-pool.ts';
import type { Deployment, LeasedChunk, WorkItem } from './deployment.ts';
import type { WorkModel } from './models.ts';
import { readItem } from './read-item.ts';

/** What answering needs, besides a model. */
export interface AnswerServices {
  readonly deployment: Pick<Deployment, 'read'>;
  readonly pool: Pick<DecodePool, 'decode'>;
  readonly memory: ByteGate;
}

/** Under which rules: the deployment's. */
export interface AnswerRules {
  readonly limits: ImageLimits;
  readonly policy: UrlPolicy;
  readonly fetch: FetchFunction;
}

/**
 * Answers one item. Its encoded bytes count as memory until they are decoded, its pixels until they have run.
 * @throws as `readItem`, `preprocessToRgb8` and `ServedModel.infer` do.
 */
export async function answerImage(
  item: WorkItem,
  { task, parameters }: Pick<LeasedChunk, 'task' | 'parameters'>,
  model: WorkModel,
  { deployment, pool, memory }: AnswerServices,
  { limits, policy, fetch }: AnswerRules,
): Promise<WorkAnswer> {
  const releases: (() => void)[] = [];
  try {
    const reserve = async (bytes: number) => void releases.push(await memory.take(bytes));
    const bytes = await readItem(item, { deployment, policy, fetch, maxBytes: limits.maxBytes, reserve });
    const { processor } = model;
    const picture = await pool.decode({ bytes, processor, exact: parameters.exact === true, limits });
    const output = task === 'embed' ? 'pooler_output' : 'logits';
    const { outputs } = await model.served.infer({
      inputs: [{ name: 'image', datatype: 'UINT8', shape: [1, picture.height, picture.width, 3], data: picture.rgb8 }],
      outputs: [{ name: output }],
    });
    const tensor = outputs.find(({ name }) => name === output);
    if (tensor?.datatype !== 'FP32') throw new ModelError('model_failed', `the network gave no float32 "${output}"`);
    const data = Float32Array.from(tensor.data);
    checkAnswer(model, new Map([[output, { type: 'float32', shape: tensor.shape, data }]]));
    return task === 'embed' ? embeddingOf(data) : predictionsOf(data, model, parameters);
  } finally {
    for (const release of releases) release();
  }
}
