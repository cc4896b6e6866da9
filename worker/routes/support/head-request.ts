/** Bodies of requests about heads: JSON, forms with a file a picture, and archives whose folders are classes. */
import type { Context } from 'hono';
import * as z from 'zod';
import { NAME_PATTERN } from '../../../model-store/layout.ts';
import { HeadError, RequestError } from '../../errors.ts';

import { MultipartScanner } from '../../form-data/multipart-scanner.ts';
import { boundaryOf } from '../../form-data/part-headers.ts';
import { openArchive } from '../../heads/archive.ts';
import type { ExampleInput } from '../../heads/head-service.ts';
import { checkHeadLimit, HEAD_LIMITS } from '../../heads/limits.ts';
import { FEATURE_KINDS } from '../../heads/math/features.ts';
import { UNKNOWN_LABEL } from '../../heads/math/head-model.ts';
import { METHODS } from '../../heads/math/train.ts';
import { PROMOTIONS } from '../../heads/records.ts';
import type { AppEnvironment } from '../../services.ts';
import { parseParameters } from './parameters.ts';
import {
  type BodyMemory,
  base64Memory,
  decodeBase64,
  isJson,
  mediaTypeOf,
  readBody,
  readJsonObject,
} from './request-body.ts';

const ARCHIVE_TYPES: readonly string[] = [
  'application/zip',
  'application/x-zip-compressed',
  'application/x-tar',
  'application/tar',
];

/** The field of a form that is an archive rather than a picture. */
const ARCHIVE_FIELD = 'archive';

/** Text fields of a form and their bytes: parameters. */
const MAX_TEXT_FIELDS = 16;
const MAX_TEXT_BYTES = 8192;

const boolean = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);
const number = z.union([
  z.number(),
  z
    .string()
    .regex(/^\d+(\.\d+)?(e[+-]?\d+)?$/i)
    .transform(Number),
]);
const positive = number.pipe(z.number().positive().max(1e12));

/** How a head is trained and promoted; members of JSON, or fields of a form, or the query. */
const headOptionsSchema = z.strictObject({
  method: z.enum(METHODS).optional().describe('Default auto: ridge, or nearest_mean where no class has two examples.'),
  features: z.enum(FEATURE_KINDS).optional().describe('Default l2.'),
  lambda: positive.optional().describe('Of ridge. Default: the one with the least leave-one-out error.'),
  c: positive.optional().describe('Of logistic. Default: the one with the least held-out loss.'),
  balanced: boolean.optional().describe('Default true: classes count the same however many examples each has.'),
  unknown: z
    .union([boolean, number.pipe(z.number().gt(0).lt(1))])
    .optional()
    .describe('True for 0.05: the share of known pictures that may be called "unknown". Default false.'),
  promote: z.enum(PROMOTIONS).optional().describe('When latest moves to a new version. Default always.'),
  promote_margin: number.pipe(z.number().min(0).max(1)).optional().describe('Of if_better. Default 0.02.'),
});
export type HeadOptions = z.infer<typeof headOptionsSchema>;

/** The body of `PATCH /v1/heads/{head}`. */
export const headChangesSchema = z.strictObject({
  ...headOptionsSchema.shape,
  backbone: z
    .string()
    .max(130)
    .optional()
    .describe('Another version, or another backbone: every example is embedded again, from where its picture is.'),
});

const label = z.string().refine(isLabel, `must be 1 to ${HEAD_LIMITS.labelBytes} bytes without control characters`);
const r2Reference = z.union([
  z.string().min(1).max(1024),
  z.strictObject({ bucket: z.string().min(1).max(63), key: z.string().max(1024) }),
]);
const imageReference = z.union([
  z.string().min(1),
  z.strictObject({ url: z.string().max(2048) }),
  z.strictObject({ r2: r2Reference }),
]);

/** One class of a JSON body, or with `labels` pictures that have all of them. */
export const headClassSchema = z.strictObject({
  label: label.optional(),
  labels: z.array(label).min(1).max(HEAD_LIMITS.labelsPerExample).optional(),
  images: z.array(imageReference).optional(),
  r2_prefix: r2Reference.optional(),
  embeddings: z
    .array(z.union([z.array(z.number()), z.string().min(1)]))
    .optional()
    .describe('As /v1/embed gives them: numbers, or base64 of float32.'),
});

/** The JSON body of `POST /v1/heads/{head}/examples`. */
export const examplesRequestSchema = z.strictObject({
  /** Checked where given: embeddings of another version do not mix. */
  backbone: z.string().max(130).optional(),
  classes: z.array(headClassSchema).min(1),
});

/** The JSON body of `POST /v1/heads`. */
export const newHeadSchema = z.strictObject({
  name: z.string().regex(NAME_PATTERN, 'must be 1 to 64 of a-z 0-9 . _ -'),
  backbone: z.string().max(130).optional(),
  multi_label: boolean.optional(),
  keep_pictures: boolean.optional(),
  ...headOptionsSchema.shape,
  classes: z.array(headClassSchema).min(1),
});

/** Fields of a form, or the query of an archive: the same without the classes. */
export const newHeadFieldsSchema = newHeadSchema.omit({ classes: true });
export const examplesFieldsSchema = examplesRequestSchema.omit({ classes: true });

/** What a request holds. */
export interface HeadRequest<T> {
  readonly fields: T;
  readonly inputs: readonly ExampleInput[];
}

/**
 * Reads a request's examples and its fields.
 * @throws RequestError; HeadError `head_limit_exceeded`; FetchError `url_not_allowed`.
 */
export async function readHeadRequest<F extends z.ZodObject, J extends z.ZodObject>(
  c: Context<AppEnvironment>,
  memory: BodyMemory,
  schemas: { readonly fields: F; readonly json: J },
): Promise<HeadRequest<z.infer<F>>> {
  const mediaType = mediaTypeOf(c.req.raw);
  const query = new URL(c.req.url).searchParams;
  if (isJson(mediaType)) {
    const limits = {
      maxDepth: 8,
      maxValues: 20_000 + 8 * HEAD_LIMITS.examples,
      bulk: { member: 'embeddings', maxValues: 4e6, maxContainers: 2 * HEAD_LIMITS.examples },
    };
    const body = parseParameters(schemas.json, query, await readJsonObject(c.req.raw, base64Memory(memory), limits));
    const { classes, ...fields } = body as { classes: z.infer<typeof headClassSchema>[] };
    return { fields: fields as z.infer<F>, inputs: checked(await jsonInputs(c, classes)) };
  }
  if (mediaType === 'multipart/form-data') return readForm(c, memory, schemas.fields, query);
  if (ARCHIVE_TYPES.includes(mediaType)) {
    const fields = parseParameters(schemas.fields, query, {});
    return { fields, inputs: checked(await archiveInputs(await readBody(c.req.raw, memory))) };
  }
  throw new RequestError(
    'unsupported_media_type',
    `content type "${mediaType}" is not accepted; send application/json, multipart/form-data, application/zip or application/x-tar`,
    { details: { content_type: mediaType } },
  );
}

async function readForm<F extends z.ZodObject>(
  c: Context<AppEnvironment>,
  memory: BodyMemory,
  schema: F,
  query: URLSearchParams,
): Promise<HeadRequest<z.infer<F>>> {
  let texts = 0;
  let files = 0;
  const scanner = new MultipartScanner(boundaryOf(c.req.header('content-type') ?? ''), {
    accept({ isFile }) {
      if (isFile) {
        checkHeadLimit('examples', ++files, 'pictures of the request');
        return memory.maxBytes;
      }
      if (++texts <= MAX_TEXT_FIELDS) return MAX_TEXT_BYTES;
      throw new RequestError('body_too_large', `the form has over ${MAX_TEXT_FIELDS} fields besides pictures`);
    },
  });
  const body = await readBody(c.req.raw, memory, (chunk) => scanner.push(chunk));
  const fields: Record<string, unknown> = {};
  const inputs: ExampleInput[] = [];
  for (const { name, isFile, start, end } of scanner.finish()) {
    const bytes = body.subarray(start, end);
    if (!isFile) {
      if (Object.hasOwn(fields, name)) throw new RequestError('invalid_parameter', `"${name}" is given twice`);
      fields[name] = new TextDecoder().decode(bytes);
    } else if (name === ARCHIVE_FIELD) {
      inputs.push(...(await archiveInputs(bytes)));
    } else if (bytes.byteLength === 0) {
      throw new RequestError('empty_body', `a picture of class "${name.slice(0, 80)}" is empty: 0 bytes`);
    } else {
      inputs.push({ kind: 'picture', labels: [checkLabel(name)], name: null, read: async () => bytes });
    }
  }
  return { fields: parseParameters(schema, query, fields), inputs: checked(inputs) };
}

async function archiveInputs(bytes: Uint8Array<ArrayBuffer>): Promise<ExampleInput[]> {
  const pictures = await openArchive(bytes);
  return pictures.map(({ label: folder, name, read }) => ({
    kind: 'picture',
    labels: [checkLabel(folder)],
    name,
    read,
  }));
}

async function jsonInputs(
  c: Context<AppEnvironment>,
  classes: readonly z.infer<typeof headClassSchema>[],
): Promise<ExampleInput[]> {
  const { images: reader } = c.var.services;
  const inputs: ExampleInput[] = [];
  for (const [position, { label: one, labels: several, images, r2_prefix: prefix, embeddings }] of classes.entries()) {
    const where = `classes[${position}]`;
    if ((one === undefined) === (several === undefined)) {
      throw new RequestError('invalid_body', `"${where}" must have one of "label" and "labels"`);
    }
    const labels = one === undefined ? [...new Set(several)].sort() : [one];
    for (const [at, image] of (images ?? []).entries()) {
      const member = `${where}.images[${at}]`;
      if (typeof image === 'string') {
        inputs.push({ kind: 'picture', labels, name: null, read: async () => decodeBase64(image, member) });
        continue;
      }
      const named = { url: 'url' in image ? image.url : undefined, r2: 'r2' in image ? image.r2 : undefined };
      const location = reader.locate(named, `${member}.`);
      inputs.push({ kind: 'location', labels, location });
    }
    if (prefix !== undefined) inputs.push(...(await prefixInputs(c, prefix, labels, `${where}.r2_prefix`)));
    for (const [at, embedding] of (embeddings ?? []).entries()) {
      inputs.push({ kind: 'embedding', labels, embedding: parseEmbedding(embedding, `${where}.embeddings[${at}]`) });
    }
  }
  return inputs;
}

/** The objects below a prefix of a bucket that images are read from. */
async function prefixInputs(
  c: Context<AppEnvironment>,
  reference: z.infer<typeof r2Reference>,
  labels: readonly string[],
  where: string,
): Promise<ExampleInput[]> {
  const { images } = c.var.services;
  const bucket = typeof reference === 'string' ? (images.buckets[0]?.name ?? '') : reference.bucket;
  const prefix = typeof reference === 'string' ? reference : reference.key;
  // Says whether the prefix may be read, before it is.
  images.locate({ url: undefined, r2: { bucket, key: prefix === '' ? '/' : prefix } }, `${where}.`);
  const inputs: ExampleInput[] = [];
  let cursor: string | undefined;
  do {
    const page = await images.bucket(bucket).list({
      prefix,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const { key } of page.objects) {
      if (!key.endsWith('/')) inputs.push({ kind: 'location', labels, location: { bucket, key, etag: null } });
    }
    checkHeadLimit('examples', inputs.length, `objects below "${prefix.slice(0, 80)}"`);
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  return inputs;
}

function parseEmbedding(given: readonly number[] | string, where: string): Float32Array {
  let values: Float32Array;
  if (typeof given === 'string') {
    const bytes = decodeBase64(given, where);
    if (bytes.byteLength % 4 !== 0) {
      throw new RequestError('invalid_body', `"${where}" has ${bytes.byteLength} bytes: no whole float32`);
    }
    values = new Float32Array(bytes.buffer);
  } else values = Float32Array.from(given);
  checkHeadLimit('dimensions', values.length, `values of "${where}"`);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return values;
  throw new RequestError('invalid_parameter', `"${where}": value ${bad} is ${values[bad]}; it must be finite`, {
    details: { parameter: where, element: bad },
  });
}

function checked(inputs: ExampleInput[]): ExampleInput[] {
  if (inputs.length === 0) throw new RequestError('missing_image', 'the request has no picture and no embedding');
  checkHeadLimit('examples', inputs.length, 'examples of the request');
  checkHeadLimit('classes', new Set(inputs.flatMap(({ labels }) => labels)).size, 'classes of the request');
  return inputs;
}

/** @throws RequestError `invalid_parameter`. */
export function checkLabel(text: string): string {
  if (isLabel(text)) return text;
  const rule = `1 to ${HEAD_LIMITS.labelBytes} bytes without control characters`;
  throw new RequestError('invalid_parameter', `label "${text.slice(0, 80)}" is not ${rule}`, {
    details: { parameter: 'label' },
  });
}

/** The label that the rule for unknown pictures gives is no class. @throws HeadError `head_untrainable`. */
export function checkReserved(inputs: readonly ExampleInput[], unknownRate: number | null): void {
  if (unknownRate === null || !inputs.some(({ labels }) => labels.includes(UNKNOWN_LABEL))) return;
  throw new HeadError('head_untrainable', `"${UNKNOWN_LABEL}" is what pictures of no class are called here`);
}

function isLabel(text: string): boolean {
  if (text.trim() === '' || /\p{Cc}/u.test(text)) return false;
  return new TextEncoder().encode(text).byteLength <= HEAD_LIMITS.labelBytes;
}
