/** `POST /v1/classify`: one image in, the model's best labels out. */
import { Hono } from 'hono';
import type { Classification } from '../inference/classifier.ts';
import type { AppEnvironment } from '../services.ts';
import { parseModelReference } from './model-reference.ts';
import { classifyParametersSchema, parseParameters } from './parameters.ts';
import { readImageRequest } from './request-body.ts';

/** The route. */
export const classifyRoute = new Hono<AppEnvironment>().post('/v1/classify', async (c) => {
  const { classifier, config } = c.var.services;
  const { image, parameters: inBody } = await readImageRequest(c.req.raw, config.maxBodyBytes);
  const parameters = parseParameters(classifyParametersSchema, new URL(c.req.url).searchParams, inBody);
  const answer = await classifier.classify(
    image,
    parseModelReference(parameters.model, config),
    { topK: parameters.top_k, functionToApply: parameters.function_to_apply, exact: parameters.exact },
    (promise) => c.executionCtx.waitUntil(promise),
  );
  const serverTiming = formatServerTiming(answer.timing);
  if (serverTiming !== '') c.header('server-timing', serverTiming);
  return c.json({
    model: answer.model,
    predictions: answer.predictions,
    image: { format: answer.image.format, width: answer.image.width, height: answer.image.height },
    timing: answer.timing,
  });
});

/** The `Server-Timing` header (W3C Server Timing) of what was measured; empty where nothing was. */
export function formatServerTiming(timing: Classification['timing']): string {
  return Object.entries(timing)
    .map(([stage, ms]) => `${stage.replace(/_ms$/, '')};dur=${ms}`)
    .join(', ');
}
