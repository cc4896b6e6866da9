/**
 * What `/v1/classify`, `/v1/class-activation`, `/v1/embed` and `/v1/features` have in common: one image or several, parameters
 * checked once, answers cached by content, one bad image of several answered as its own problem.
 */
import { type Context, type Handler, Hono } from 'hono';
import type * as z from 'zod';
import type { Scope } from '../../auth/api-key.ts';
import type { ModelReference, Timing } from '../../inference/classifier.ts';
import { requireScope } from '../../middleware/require-scope.ts';
import { type Problem, toAppError, toProblem } from '../../problem.ts';
import type { AppEnvironment } from '../../services.ts';
import { withBody } from './body-lease.ts';
import { type ImageInput, readImageInputs } from './image-inputs.ts';
import { parseModelReference, tenantOf } from './model-reference.ts';
import { parseParameters } from './parameters.ts';
import { isJson, mediaTypeOf } from './request-body.ts';
import { cachedAnswer } from './result-caching.ts';

/** What every task's answer says besides its result. */
export interface TaskAnswer {
  readonly model: { readonly name: string; readonly version: string };
  readonly image: { readonly format: string; readonly width: number; readonly height: number };
  readonly timing: Timing;
}

/** Parameters that every task has. */
export interface TaskParameters {
  readonly model?: string | undefined;
}

/** One task. */
export interface ImageTask<P extends TaskParameters, A extends TaskAnswer> {
  readonly path: string;
  readonly name: string;
  readonly scope: Scope;
  readonly parameters: z.ZodType<P>;
  /** The parameters that change the answer. */
  cacheKey(parameters: P): Readonly<Record<string, string | number | boolean>>;
  compute(c: Context<AppEnvironment>, image: Uint8Array, reference: ModelReference, parameters: P): Promise<A>;
}

/** The route of a task. */
export function imageTaskRoute<P extends TaskParameters, A extends TaskAnswer>(task: ImageTask<P, A>) {
  const answer: Handler<AppEnvironment> = (c) =>
    withBody(c, { reference: referenceBeforeBody(c) }, async (memory) => {
      const { maxImagesPerRequest } = c.var.services.config;
      const { inputs, isList, parameters: inBody } = await readImageInputs(c.req.raw, memory, maxImagesPerRequest);
      const parameters = parseParameters(task.parameters, new URL(c.req.url).searchParams, inBody);
      const reference = parseModelReference(parameters.model, c.var.services.config, tenantOf(c));
      const run = (input: ImageInput): Promise<A> => answerImage(c, task, input, reference, parameters);
      if (!isList) {
        const only = await run(inputs[0]!);
        const serverTiming = formatServerTiming(only.timing);
        if (serverTiming !== '') c.header('server-timing', serverTiming);
        c.header('x-cache', c.var.record.cache ?? 'bypass');
        return c.json(only);
      }
      const results: (A | { error: Problem })[] = [];
      for (const input of inputs) results.push(await run(input).catch((error: unknown) => failed(error, c)));
      return c.json({ results });
    });
  return new Hono<AppEnvironment>().post(task.path, requireScope(task.scope), answer);
}

/** The model that the query names, or the default where the body is an image and cannot name another; null where it can. */
function referenceBeforeBody(c: Context<AppEnvironment>): ModelReference | null {
  const model = c.req.query('model');
  if (model === undefined && namesParameters(mediaTypeOf(c.req.raw))) return null;
  return parseModelReference(model, c.var.services.config, tenantOf(c));
}

/** Bodies that have parameters in them, the model among them. */
function namesParameters(mediaType: string): boolean {
  return isJson(mediaType) || mediaType === 'multipart/form-data';
}

/**
 * One image's answer to a task, from the result cache where it is there.
 * @throws AppError as fetching, decoding and the model do.
 */
export async function answerImage<P extends TaskParameters, A extends TaskAnswer>(
  c: Context<AppEnvironment>,
  task: ImageTask<P, A>,
  input: ImageInput,
  reference: ModelReference,
  parameters: P,
): Promise<A> {
  if ('error' in input) throw input.error;
  if ('bytes' in input) return answerBytes(c, task, input.bytes, reference, parameters);
  const { images } = c.var.services;
  const where = input.member === '' ? '' : `${input.member}.`;
  const location = images.locate({ url: input.url, r2: input.r2 }, where);
  return images.withImage(location, (bytes) => answerBytes(c, task, bytes, reference, parameters));
}

async function answerBytes<P extends TaskParameters, A extends TaskAnswer>(
  c: Context<AppEnvironment>,
  task: ImageTask<P, A>,
  image: Uint8Array,
  reference: ModelReference,
  parameters: P,
): Promise<A> {
  const key = { image, reference, task: task.name, parameters: task.cacheKey(parameters) };
  const { answer, cache } = await cachedAnswer<A>(c, key, () => task.compute(c, image, reference, parameters));
  const { record } = c.var;
  record.bytes = (record.bytes ?? 0) + image.byteLength;
  record.model = answer.model;
  record.image = answer.image;
  record.cache = cache;
  // A cached answer took none of the time that it took when it was made.
  if (cache === 'hit') return { ...answer, timing: {} };
  record.timing = answer.timing;
  return answer;
}

function failed(error: unknown, c: Context<AppEnvironment>): { error: Problem } {
  return { error: toProblem(toAppError(error), c.var.requestId) };
}

/** The `Server-Timing` header (W3C Server Timing) of what was measured; empty where nothing was. */
export function formatServerTiming(timing: Timing): string {
  return Object.entries(timing)
    .map(([stage, ms]) => `${stage.replace(/_ms$/, '')};dur=${ms}`)
    .join(', ');
}
