/** `POST /v1/embed`: images in, the pooled features of the last stage out (`pooler_output`). */

import { type EncodedFloats, encodeFloats, l2Normalize } from '../float-encoding.ts';
import { float32Output } from '../inference/float32-output.ts';
import { type ImageTask, imageTaskRoute, type TaskAnswer } from './support/image-task.ts';
import { type EmbedParameters, embedParametersSchema } from './support/parameters.ts';

/** The graph's output that is the embedding: global average pooling of the last hidden state, `[1, C, 1, 1]`. */
const EMBEDDING_OUTPUT = 'pooler_output';

/** One image's embedding. */
export interface EmbedAnswer extends TaskAnswer {
  readonly embedding: EncodedFloats;
  readonly dimensions: number;
}

/** The task; other protocols' routes answer with it too. */
export const embedTask: ImageTask<EmbedParameters, EmbedAnswer> = {
  path: '/v1/embed',
  name: 'embed',
  scope: 'embed',
  parameters: embedParametersSchema,
  cacheKey: ({ encoding, normalize, exact }) => ({ encoding, normalize, exact }),
  async compute(c, image, reference, { encoding, normalize, exact }) {
    const {
      model,
      outputs,
      image: info,
      timing,
    } = await c.var.services.classifier.infer(
      image,
      reference,
      [EMBEDDING_OUTPUT],
      { exact, signal: c.req.raw.signal },
      (promise) => c.executionCtx.waitUntil(promise),
    );
    const { data } = float32Output(outputs, EMBEDDING_OUTPUT);
    const embedding = normalize ? l2Normalize(data) : data;
    const { name, version } = model.manifest;
    return {
      model: { name, version },
      embedding: encodeFloats(embedding, encoding),
      dimensions: embedding.length,
      image: info,
      timing,
    };
  },
};

export const embedRoute = imageTaskRoute(embedTask);
