/**
 * `POST /ai/run/{name}`: image classification in the shape of Cloudflare Workers AI's REST API (`@cf/microsoft/resnet-50`):
 * raw bytes or `{image}` in, `{result, success, errors, messages}` out.
 * Source: Cloudflare, "Workers AI: resnet-50", API schemas.
 */
import { type Handler, Hono } from 'hono';
import * as z from 'zod';
import { RequestError } from '../errors.ts';
import { JsonShape } from '../json-shape.ts';
import { requireScope } from '../middleware/require-scope.ts';
import type { AppEnvironment } from '../services.ts';
import { classifyTask } from './classify.ts';
import { withBody } from './support/body-lease.ts';
import { takeByteList } from './support/byte-list.ts';
import { answerImage } from './support/image-task.ts';
import { parseModelReference, tenantOf } from './support/model-reference.ts';
import { parseParameters, refuseParameters } from './support/parameters.ts';
import {
  type BodyMemory,
  decodeBase64,
  isJson,
  mediaTypeOf,
  parseJsonObject,
  RAW_TYPES,
  readBody,
} from './support/request-body.ts';

/** A JSON request: the encoded image as bytes 0 to 255, or as base64. In the document; `readImage` reads lists from the text. */
export const workersAiRequestSchema = z.strictObject({
  image: z.union([z.array(z.int().min(0).max(255)).min(1), z.string()], 'must be a list of bytes, or base64'),
});

/** A request whose image is base64, or whose list has been taken out. */
const textRequestSchema = z.strictObject({ image: z.string('must be a list of bytes, or base64') });

/** What JSON may hold besides the list. */
const MAX_JSON_VALUES = 64;

/** As many labels as the original gives. */
const TOP_K = 5;

const run: Handler<AppEnvironment> = (c) => {
  refuseParameters(c.req.url);
  const reference = parseModelReference(c.req.param('name'), c.var.services.config, tenantOf(c));
  return withBody(c, { reference }, async (memory) => {
    const bytes = await readImage(c.req.raw, memory);
    const parameters = { top_k: TOP_K, exact: false } as const;
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
  if (isJson(mediaType)) {
    const bulk = { member: 'image', maxValues: memory.maxBytes, maxContainers: 1 };
    const shape = new JsonShape({ maxDepth: 8, maxValues: MAX_JSON_VALUES, bulk });
    const body = await readBody(request, memory, (chunk) => shape.push(chunk));
    const list = takeByteList(body, 'image');
    const text = list === null ? body : new TextEncoder().encode(list.rest);
    const { image } = parseParameters(textRequestSchema, new URLSearchParams(), parseJsonObject(text));
    if (list === null) return decodeBase64(image, 'image');
    if (list.bytes.byteLength > 0) return list.bytes;
    throw new RequestError('empty_body', '"image" is empty: 0 bytes');
  }
  if (mediaType === '' || mediaType.startsWith('image/') || RAW_TYPES.includes(mediaType)) {
    return readBody(request, memory);
  }
  throw new RequestError('unsupported_media_type', `content type "${mediaType}" is not accepted`, {
    details: { content_type: mediaType },
  });
}
