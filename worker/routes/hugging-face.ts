/**
 * The task contract of Hugging Face's inference API and endpoints, as `@huggingface/inference` speaks it:
 * `POST /models/{name}` (image classification) and `POST /models/{name}/pipeline/feature-extraction` or
 * `/pipeline/feature-extraction/{name}` (embeddings). Errors are `{error}`; a model that is still loading answers 503 with
 * `estimated_time` unless the request asks to wait. Source: huggingface.js `packages/inference`, `packages/tasks`.
 */
import { type Context, type Handler, Hono } from 'hono';
import * as z from 'zod';
import { RequestError } from '../errors.ts';
import { l2Normalize } from '../float-encoding.ts';
import type { ModelReference } from '../inference/classifier.ts';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { classifyTask } from './classify.ts';
import { embedTask } from './embed.ts';
import { withBody } from './support/body-lease.ts';
import { type ImageInput, imageJsonLimits } from './support/image-inputs.ts';
import { answerImage } from './support/image-task.ts';
import { requireLoaded } from './support/loaded-model.ts';
import { parseModelReference, tenantOf } from './support/model-reference.ts';
import { classifyParametersSchema, parseParameters, withoutNulls } from './support/parameters.ts';
import {
  type BodyMemory,
  base64Memory,
  decodeBase64,
  isJson,
  mediaTypeOf,
  RAW_TYPES,
  readBody,
  readJsonObject,
} from './support/request-body.ts';

/** `parameters` of image classification; in the query string for raw bytes. */
export const hfClassifyParametersSchema = classifyParametersSchema.pick({ top_k: true, function_to_apply: true });

/** `parameters` of feature extraction. */
export const hfFeatureParametersSchema = z.strictObject({
  /** Unit length. */
  normalize: z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]).default(false),
});

/** A JSON request: base64, a data: URI or an https URL, or a list of them. */
export const hfRequestSchema = z.strictObject({
  inputs: z.union([z.string(), z.array(z.string()).min(1)]),
  parameters: z.record(z.string(), z.unknown()).default({}),
  options: z
    .strictObject({
      wait_for_model: z.boolean().default(false),
      use_cache: z.boolean().default(true),
      use_gpu: z.boolean().optional(),
    })
    .prefault({}),
});

interface HfRequest {
  readonly images: readonly ImageInput[];
  /** True for a list of inputs: the answer is a list too. */
  readonly isList: boolean;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly waitForModel: boolean;
}

const classify: Handler<AppEnvironment> = (c) =>
  answer(c, async (request, reference) => {
    const query = new URL(c.req.url).searchParams;
    const parameters = parseParameters(hfClassifyParametersSchema, query, request.parameters);
    const run = async (image: ImageInput) => {
      const { predictions } = await answerImage(c, classifyTask, image, reference, { ...parameters, exact: false });
      return predictions.map(({ label, score }) => ({ label, score }));
    };
    return request.isList ? inTurn(request.images, run) : run(request.images[0]!);
  });

const extractFeatures: Handler<AppEnvironment> = (c) =>
  answer(c, async (request, reference) => {
    const query = new URL(c.req.url).searchParams;
    const { normalize } = parseParameters(hfFeatureParametersSchema, query, request.parameters);
    return inTurn(request.images, async (image) => {
      const options = { encoding: 'float', normalize: false, exact: false } as const;
      const { embedding } = await answerImage(c, embedTask, image, reference, options);
      if (typeof embedding === 'string') throw new TypeError('the embedding was asked for as numbers');
      return normalize ? Array.from(l2Normalize(Float32Array.from(embedding))) : embedding;
    });
  });

/** The routes; a name may have an organisation before it, which says nothing here. */
export const huggingFaceRoutes = new Hono<AppEnvironment>()
  .post('/models/:name', requireScope('classify'), classify)
  .post('/models/:organisation/:name', requireScope('classify'), classify)
  .post('/models/:name/pipeline/feature-extraction', requireScope('embed'), extractFeatures)
  .post('/models/:organisation/:name/pipeline/feature-extraction', requireScope('embed'), extractFeatures)
  .post('/pipeline/feature-extraction/:name', requireScope('embed'), extractFeatures)
  .post('/pipeline/feature-extraction/:organisation/:name', requireScope('embed'), extractFeatures);

async function answer(
  c: Context<AppEnvironment>,
  compute: (request: HfRequest, reference: ModelReference) => Promise<unknown>,
): Promise<Response> {
  const reference = parseModelReference(c.req.param('name'), c.var.services.config, tenantOf(c));
  return withBody(c, { reference }, async (memory) => {
    const request = await readRequest(c.req.raw, memory, c.var.services.config.maxImagesPerRequest);
    if (!request.waitForModel) await requireLoaded(c, reference);
    return c.json(await compute(request, reference));
  });
}

async function readRequest(request: Request, memory: BodyMemory, maxImages: number): Promise<HfRequest> {
  const waits = request.headers.get('x-wait-for-model') === 'true';
  const mediaType = mediaTypeOf(request);
  if (isJson(mediaType)) {
    const body = await readJsonObject(request, base64Memory(memory), imageJsonLimits(maxImages));
    const { inputs, parameters, options } = parseParameters(hfRequestSchema, new URLSearchParams(), setMembers(body));
    const list = typeof inputs === 'string' ? [inputs] : inputs;
    if (list.length > maxImages) {
      throw new RequestError('too_many_images', `${list.length} inputs; limit ${maxImages}`, {
        details: { images: list.length, limit: maxImages },
      });
    }
    return {
      images: list.map(toImage),
      isList: typeof inputs !== 'string',
      parameters,
      waitForModel: waits || options.wait_for_model,
    };
  }
  if (mediaType === '' || mediaType.startsWith('image/') || RAW_TYPES.includes(mediaType)) {
    const bytes = await readBody(request, memory);
    return { images: [{ bytes }], isList: false, parameters: {}, waitForModel: waits };
  }
  throw new RequestError(
    'unsupported_media_type',
    `content type "${mediaType}" is not accepted; send image/*, application/octet-stream or application/json`,
    { details: { content_type: mediaType } },
  );
}

/** The members that are set: null means the default, in `parameters` and `options` too. */
function setMembers(body: Record<string, unknown>): Record<string, unknown> {
  const set = withoutNulls(body);
  for (const name of ['parameters', 'options']) {
    const members = set[name];
    if (typeof members === 'object' && members !== null && !Array.isArray(members))
      set[name] = withoutNulls({ ...members });
  }
  return set;
}

function toImage(input: string): ImageInput {
  if (/^https?:\/\//i.test(input)) return { url: input, r2: undefined, member: '' };
  return { bytes: decodeBase64(input, 'inputs') };
}

async function inTurn<T>(images: readonly ImageInput[], run: (image: ImageInput) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const image of images) results.push(await run(image));
  return results;
}
