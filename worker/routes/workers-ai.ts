/**
 * `POST /ai/run/{name}`: image classification in the shape of Cloudflare Workers AI's REST API (`@cf/microsoft/resnet-50`):
 * raw bytes or `{image}` in, `{result, success, errors, messages}` out.
 * Source: Cloudflare, "Workers AI: resnet-50", API schemas.
 */
import { type Handler, Hono } from 'hono';
import * as z from 'zod';
import { RequestError } from '../errors.ts';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { withBody } from './body-lease.ts';
import { classifyTask } from './classify.ts';
import { answerImage } from './image-task.ts';
import { parseModelReference } from './model-reference.ts';
import { parseParameters, refuseParameters } from './parameters.ts';
import { type BodyMemory, decodeBase64, mediaTypeOf, parseJsonObject, RAW_TYPES, readBody } from './request-body.ts';

/** In the document; the elements, a million and more, are checked by `toBytes` in one loop. */
const byteArray = { items: { type: 'integer', minimum: 0, maximum: 255 } };

/** A JSON request: the encoded image as bytes 0 to 255, or as base64. */
export const workersAiRequestSchema = z.strictObject({
  image: z.union([z.array(z.unknown()).min(1).meta(byteArray), z.string()], 'must be a list of bytes, or base64'),
});

/** As many labels as the original gives. */
const TOP_K = 5;

const run: Handler<AppEnvironment> = (c) => {
  refuseParameters(c.req.url);
  const reference = parseModelReference(c.req.param('name'), c.var.services.config);
  return withBody(c, reference, async (memory) => {
    const bytes = await readImage(c.req.raw, memory);
    const parameters = { top_k: TOP_K, function_to_apply: 'softmax', exact: false } as const;
    const { predictions } = await answerImage(c, classifyTask, { bytes }, reference, parameters);
    const result = predictions.map(({ label, score }) => ({ label, score }));
    return c.json({ result, success: true, errors: [], messages: [] });
  });
};

/** The routes; `@cf` and a vendor before the name say nothing here. */
export const workersAiRoutes = new Hono<AppEnvironment>()
  .post('/ai/run/:name', requireScope('classify'), run)
  .post('/ai/run/:vendor/:name', requireScope('classify'), run)
  .post('/ai/run/@cf/:vendor/:name', requireScope('classify'), run);

async function readImage(request: Request, memory: BodyMemory): Promise<Uint8Array<ArrayBuffer>> {
  const mediaType = mediaTypeOf(request);
  if (mediaType === 'application/json') {
    const body = parseJsonObject(await readBody(request, memory));
    const { image } = parseParameters(workersAiRequestSchema, new URLSearchParams(), body);
    return typeof image === 'string' ? decodeBase64(image, 'image') : toBytes(image);
  }
  if (mediaType === '' || mediaType.startsWith('image/') || RAW_TYPES.includes(mediaType)) {
    return readBody(request, memory);
  }
  throw new RequestError('unsupported_media_type', `content type "${mediaType}" is not accepted`, {
    details: { content_type: mediaType },
  });
}

function toBytes(values: readonly unknown[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 255) {
      const given = String(value).slice(0, 40);
      throw new RequestError('invalid_parameter', `"image": element ${i} is ${given}: no byte`, {
        details: { parameter: 'image', element: i },
      });
    }
    bytes[i] = value;
  }
  return bytes;
}
