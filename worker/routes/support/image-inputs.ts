/** The images of a request: one or several, sent along or named, in the shapes that `docs/api.md` lists. */
import { RequestError } from '../../errors.ts';
import { MultipartScanner } from '../../form-data/multipart-scanner.ts';
import { boundaryOf } from '../../form-data/part-headers.ts';
import type { JsonLimits } from '../../json-shape.ts';
import { withoutNulls } from './parameters.ts';
import {
  type BodyMemory,
  base64Memory,
  decodeBase64,
  isJson,
  mediaTypeOf,
  RAW_TYPES,
  readBody,
  readJsonObject,
} from './request-body.ts';

/** An image that was sent along. */
export interface InlineImage {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** An image that a URL or a bucket's key names, the members still unchecked. */
export interface NamedImage {
  readonly url: unknown;
  readonly r2: unknown;
  /** The member that names it, for errors; empty at the top of the body. */
  readonly member: string;
}

/** One image, however it comes; or why it cannot be one, which spoils that item alone. */
export type ImageInput = InlineImage | NamedImage | { readonly error: unknown };

/** What a request holds. */
export interface ImageInputs {
  readonly inputs: readonly ImageInput[];
  /** True where the client sent a list, even of one: the answer is a list too. */
  readonly isList: boolean;
  /** Parameters from form fields or JSON members, still unchecked. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** What the JSON body of a request with at most `maxImages` images may hold: each may be named by `{"r2": {"bucket", "key"}}`. */
export function imageJsonLimits(maxImages: number): JsonLimits {
  return { maxDepth: 8, maxValues: 256 + 16 * maxImages };
}

/**
 * Reads the images of a request.
 * @param maxImages a request with more is refused before they are looked at.
 * @throws RequestError `empty_body`, `body_too_large`, `unsupported_media_type`, `invalid_body`, `missing_image`, `too_many_images`.
 */
export async function readImageInputs(request: Request, memory: BodyMemory, maxImages: number): Promise<ImageInputs> {
  const mediaType = mediaTypeOf(request);
  if (mediaType === 'multipart/form-data') return readForm(request, memory, maxImages);
  if (isJson(mediaType)) {
    const body = await readJsonObject(request, base64Memory(memory), imageJsonLimits(maxImages));
    const read = readJson(body, maxImages);
    settle(read.inputs, memory);
    return read;
  }
  if (mediaType === '' || mediaType.startsWith('image/') || RAW_TYPES.includes(mediaType)) {
    return { inputs: [{ bytes: await readBody(request, memory) }], isList: false, parameters: {} };
  }
  throw new RequestError(
    'unsupported_media_type',
    `content type "${mediaType}" is not accepted; send image/*, application/octet-stream, multipart/form-data or application/json`,
    { details: { content_type: mediaType } },
  );
}

/** Of a body whose images are taken out of it: they stay, and the text that they came from, until it is collected. */
function settle(inputs: readonly ImageInput[], memory: BodyMemory): void {
  const images = inputs.flatMap((input) => ('bytes' in input ? [input.bytes] : []));
  memory.settle(2 * images.reduce((sum, { byteLength }) => sum + byteLength, 0));
  for (const { buffer } of images) memory.hold(buffer);
}

/** Fields of a form besides its images, and the bytes of each: parameters. */
const MAX_FORM_FIELDS = 32;
const MAX_FORM_FIELD_BYTES = 8192;

/** Names of an image's field; many clients call their only file `file`. */
const IMAGE_FIELDS: readonly string[] = ['image', 'file'];

/** The images of a form are ranges of its body. */
async function readForm(request: Request, memory: BodyMemory, maxImages: number): Promise<ImageInputs> {
  let images = 0;
  let fields = 0;
  let imageField: string | null = null;
  const scanner = new MultipartScanner(boundaryOf(request.headers.get('content-type') ?? ''), {
    accept({ name, isFile }) {
      if (IMAGE_FIELDS.includes(name)) {
        imageField ??= name;
        if (name !== imageField) throw mixedFields();
        images++;
        if (images > maxImages) throw tooManyImages(`at least ${images}`, images, maxImages);
        return memory.maxBytes;
      }
      if (isFile) {
        throw new RequestError(
          'unknown_parameter',
          `the form has a file "${name.slice(0, 80)}"; images are fields "image"`,
          { details: { parameter: name.slice(0, 80) } },
        );
      }
      fields++;
      if (fields <= MAX_FORM_FIELDS) return MAX_FORM_FIELD_BYTES;
      throw new RequestError('body_too_large', `the form has over ${MAX_FORM_FIELDS} fields besides images`, {
        details: { limit_fields: MAX_FORM_FIELDS },
      });
    },
  });
  const body = await readBody(request, memory, (chunk) => scanner.push(chunk));
  const inputs: ImageInput[] = [];
  const parameters = new Map<string, unknown>();
  for (const { name, start, end } of scanner.finish()) {
    const bytes = body.subarray(start, end);
    if (IMAGE_FIELDS.includes(name)) {
      inputs.push(bytes.byteLength === 0 ? { error: emptyImage(name) } : { bytes });
    } else if (parameters.has(name)) {
      throw new RequestError('invalid_parameter', `"${name.slice(0, 80)}" is given twice`);
    } else {
      parameters.set(name, new TextDecoder().decode(bytes));
    }
  }
  if (inputs.length === 0) throw new RequestError('missing_image', 'the form has no field "image"');
  if (inputs.length === 1 && 'error' in inputs[0]!) throw inputs[0].error;
  return { inputs, isList: inputs.length > 1, parameters: Object.fromEntries(parameters) };
}

function readJson(body: Record<string, unknown>, maxImages: number): ImageInputs {
  const { image, images, url, r2, ...parameters } = withoutNulls(body);
  if (url !== undefined || r2 !== undefined) {
    if (image !== undefined || images !== undefined) {
      throw new RequestError('invalid_body', 'the JSON body has "image" or "images" beside "url" or "r2"');
    }
    return { inputs: [{ url, r2, member: '' }], isList: false, parameters };
  }
  if (image !== undefined && images !== undefined) {
    throw new RequestError('invalid_body', 'the JSON body has both "image" and "images"');
  }
  if (images !== undefined) {
    if (!Array.isArray(images) || images.length === 0) {
      throw new RequestError('invalid_body', '"images" must be a list of one image or more');
    }
    if (images.length > maxImages) throw tooManyImages(String(images.length), images.length, maxImages);
    const inputs = images.map((each: unknown, index): ImageInput => {
      try {
        return parseImage(each, `images[${index}]`);
      } catch (error) {
        return { error };
      }
    });
    return { inputs, isList: true, parameters };
  }
  if (image === undefined)
    throw new RequestError('missing_image', 'the JSON body has no member "image", "images", "url" or "r2"');
  return { inputs: [parseImage(image, 'image')], isList: false, parameters };
}

/** @throws RequestError `invalid_body`, `unknown_parameter`, `empty_body`, naming the member. */
function parseImage(value: unknown, member: string): ImageInput {
  if (typeof value === 'string') return { bytes: decodeBase64(value, member) };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RequestError('invalid_body', `"${member}" must be base64, a data: URI, {"url": ...} or {"r2": ...}`);
  }
  const { url, r2, ...rest } = value as Record<string, unknown>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) {
    throw new RequestError('unknown_parameter', `"${member}" has no member "${unknown}"`, {
      details: { parameter: `${member}.${unknown}` },
    });
  }
  return { url, r2, member };
}

function tooManyImages(count: string, images: number, limit: number): RequestError {
  return new RequestError(
    'too_many_images',
    `${count} images in one request; limit ${limit}. Send a job: POST /v1/jobs`,
    {
      details: { images, limit },
    },
  );
}

function emptyImage(field: string): RequestError {
  return new RequestError('empty_body', `the field "${field}" is empty: 0 bytes`);
}

function mixedFields(): RequestError {
  return new RequestError('invalid_body', 'the form has fields "image" and "file"; images have one name');
}
