/** `POST /v1/classify`: one image in, the model's best labels out. */
import { type Context, Hono } from 'hono';
import type { Classification, ModelReference } from '../inference/classifier.ts';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { withBody } from './body-lease.ts';
import { parseModelReference } from './model-reference.ts';
import { type ClassifyParameters, classifyParametersSchema, parseParameters } from './parameters.ts';
import { readImageRequest } from './request-body.ts';
import { cachedAnswer } from './result-caching.ts';

/** The answer, as it is sent and cached. */
interface ClassifyAnswer {
  readonly model: Classification['model'];
  readonly predictions: Classification['predictions'];
  readonly image: { readonly format: string; readonly width: number; readonly height: number };
  readonly timing: Classification['timing'];
}

/** The route. */
export const classifyRoute = new Hono<AppEnvironment>().post('/v1/classify', requireScope('classify'), (c) =>
  withBody(c, async (maxBytes) => {
    const { image, parameters: inBody } = await readImageRequest(c.req.raw, maxBytes);
    const parameters = parseParameters(classifyParametersSchema, new URL(c.req.url).searchParams, inBody);
    const reference = parseModelReference(parameters.model, c.var.services.config);
    const key = {
      image,
      reference,
      task: 'classify',
      parameters: {
        top_k: parameters.top_k,
        function_to_apply: parameters.function_to_apply,
        exact: parameters.exact,
      },
    };
    const { answer, cache } = await cachedAnswer<ClassifyAnswer>(c, key, () =>
      classify(c, image, reference, parameters),
    );
    const { record } = c.var;
    record.bytes = image.byteLength;
    record.model = answer.model;
    record.image = answer.image;
    record.cache = cache;
    if (cache !== 'hit') record.timing = answer.timing;
    c.header('x-cache', cache);
    // A cached answer took none of the time that it took when it was made.
    const timing = cache === 'hit' ? {} : answer.timing;
    const serverTiming = formatServerTiming(timing);
    if (serverTiming !== '') c.header('server-timing', serverTiming);
    return c.json({ ...answer, timing });
  }),
);

async function classify(
  c: Context<AppEnvironment>,
  image: Uint8Array,
  reference: ModelReference,
  parameters: ClassifyParameters,
): Promise<ClassifyAnswer> {
  const answer = await c.var.services.classifier.classify(
    image,
    reference,
    {
      topK: parameters.top_k,
      functionToApply: parameters.function_to_apply,
      exact: parameters.exact,
      signal: c.req.raw.signal,
    },
    (promise) => c.executionCtx.waitUntil(promise),
  );
  const { format, width, height } = answer.image;
  return {
    model: answer.model,
    predictions: answer.predictions,
    image: { format, width, height },
    timing: answer.timing,
  };
}

/** The `Server-Timing` header (W3C Server Timing) of what was measured; empty where nothing was. */
export function formatServerTiming(timing: Classification['timing']): string {
  return Object.entries(timing)
    .map(([stage, ms]) => `${stage.replace(/_ms$/, '')};dur=${ms}`)
    .join(', ');
}
