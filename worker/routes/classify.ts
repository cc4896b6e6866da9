/** `POST /v1/classify`: images in, the model's best labels out. */
import type { Classification } from '../inference/classifier.ts';
import { type ImageTask, imageTaskRoute, type TaskAnswer } from './support/image-task.ts';
import { type ClassifyParameters, classifyParametersSchema } from './support/parameters.ts';

/** One image's labels. */
export interface ClassifyAnswer extends TaskAnswer {
  readonly predictions: Classification['predictions'];
}

/** The task; other protocols' routes answer with it too. */
export const classifyTask: ImageTask<ClassifyParameters, ClassifyAnswer> = {
  path: '/v1/classify',
  name: 'classify',
  scope: 'classify',
  parameters: classifyParametersSchema,
  cacheKey: ({ top_k, function_to_apply = 'default', exact }) => ({ top_k, function_to_apply, exact }),
  async compute(c, image, reference, parameters) {
    const { classifier } = c.var.services;
    const options = {
      topK: parameters.top_k,
      functionToApply: parameters.function_to_apply,
      exact: parameters.exact,
      signal: c.req.raw.signal,
    };
    return classifier.classify(image, reference, options, (promise) => c.executionCtx.waitUntil(promise));
  },
};

export const classifyRoute = imageTaskRoute(classifyTask);
