/** One item of a job: its image, its answer, its line of the results. */
import { ModelError } from '../errors.ts';
import type { ImageReader, ReadingLimit } from '../images/image-reader.ts';
import type { Inference } from '../inference/classifier.ts';
import { Judge } from '../moderation/judge.ts';
import type { ModerationService } from '../moderation/service.ts';
import { failureOf } from './item-failure.ts';
import { embeddingOf, predictionsOf } from './network-answer.ts';
import type { ItemOutcome, JobSpecification, LeasedItem } from './records.ts';

/** Who runs the network: WASM here, or a GPU elsewhere. */
export interface Engine {
  readonly name: 'wasm' | 'gpu';
  /** Images that are worked on at a time. */
  readonly concurrency: number;
  infer(bytes: Uint8Array, outputs: readonly string[], options: { readonly exact?: boolean }): Promise<Inference>;
}

/** What answering an item needs besides an engine. */
export interface ItemServices {
  readonly images: Pick<ImageReader, 'locate' | 'withImage'>;
  /** For items whose task is `moderate`. */
  readonly moderation: Pick<ModerationService, 'policies' | 'heads' | 'now'>;
}

/**
 * Answers one item. Never throws but where `stops` says that the error is no item's: then nothing was decided.
 * @param reading images that are read at a time.
 * @param stops errors that end the work on the whole chunk (a backend that is down).
 */
export async function answerItem(
  item: LeasedItem,
  specification: JobSpecification,
  engine: Engine,
  { images, moderation }: ItemServices,
  reading: ReadingLimit,
  stops: (error: unknown) => boolean,
): Promise<ItemOutcome> {
  const { index, input } = item;
  try {
    const location = images.locate({ url: input.url, r2: input.r2 });
    let ranOn: 'wasm' | 'gpu' = engine.name;
    const noting: Engine = {
      ...engine,
      async infer(bytes, outputs, options) {
        const inference = await engine.infer(bytes, outputs, options);
        ranOn = inference.engine ?? engine.name;
        return inference;
      },
    };
    const use = (bytes: Uint8Array<ArrayBuffer>) => answer(bytes, specification, noting, moderation);
    const result = await images.withImage(location, use, reading);
    const id = input.id === undefined ? {} : { id: input.id };
    const line = JSON.stringify({ index, ...id, status: 'succeeded', ...result, engine: ranOn });
    return { index, status: 'succeeded', line };
  } catch (error) {
    if (stops(error)) throw error;
    return failureOf(index, error);
  }
}

async function answer(
  bytes: Uint8Array<ArrayBuffer>,
  { task, model, parameters, id }: JobSpecification,
  engine: Engine,
  moderation: ItemServices['moderation'],
): Promise<object> {
  const exact = parameters.exact === true;
  if (task === 'moderate') {
    const judge = new Judge({
      classifier: { infer: (image, _reference, outputs) => engine.infer(image, outputs, { exact }) },
      policies: moderation.policies,
      heads: moderation.heads,
      now: moderation.now,
    });
    const policy = typeof parameters.policy === 'string' ? parameters.policy : 'default';
    return { decision: await judge.judge(bytes, policy, `${id}.${crypto.randomUUID()}`, () => {}) };
  }
  if (task === 'embed') {
    const { outputs } = await engine.infer(bytes, ['pooler_output'], { exact });
    return { model, ...embeddingOf(float32(outputs.get('pooler_output'))) };
  }
  const inference = await engine.infer(bytes, ['logits'], { exact });
  return { model, ...predictionsOf(float32(inference.outputs.get('logits')), inference.model, parameters) };
}

function float32(tensor: ReturnType<Inference['outputs']['get']>): Float32Array {
  if (tensor?.type === 'float32') return tensor.data;
  throw new ModelError('model_failed', 'the network gave no float32 output');
}
