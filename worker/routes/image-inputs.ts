/** The images of a request: one or several, sent along or named, in the shapes that `docs/api.md` lists. */
import { RequestError } from '../errors.ts';
import {
  type BodyMemory,
  base64Memory,
  decodeBase64,
  mediaTypeOf,
  parseJsonObject,
  RAW_TYPES,
  readBody,
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

/**
 * Reads the images of a request.
 * @throws RequestError `empty_body`, `body_too_large`, `unsupported_media_type`, `invalid_body`, `missing_image`.
 */
export async function readImageInputs(request: Request, memory: BodyMemory): Promise<ImageInputs> {
  const mediaType = mediaTypeOf(request);
  if (mediaType === 'multipart/form-data') return readForm(request, memory);
  if (mediaType === 'application/json') {
    const read = readJson(parseJsonObject(await readBody(request, base64Memory(memory))));
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

/** Of a body whose images are taken out of it: they stay, and the text or the form that they came from, until it is collected. */
function settle(inputs: readonly ImageInput[], memory: BodyMemory): void {
  const images = inputs.flatMap((input) => ('bytes' in input ? [input.bytes] : []));
  memory.settle(2 * images.reduce((sum, { byteLength }) => sum + byteLength, 0));
  for (const { buffer } of images) memory.hold(buffer);
}

async function readForm(request: Request, memory: BodyMemory): Promise<ImageInputs> {
  const body = await readBody(request, memory);
  let form: FormData;
  try {
    const headers = { 'content-type': request.headers.get('content-type') ?? '' };
    form = await new Response(body, { headers }).formData();
  } catch (cause) {
    throw new RequestError('invalid_body', 'the body is no valid multipart/form-data', { cause });
  }
  const inputs: ImageInput[] = [];
  const parameters: Record<string, unknown> = {};
  for (const [name, value] of form) {
    if (name !== 'image') {
      if (Object.hasOwn(parameters, name)) throw new RequestError('invalid_parameter', `"${name}" is given twice`);
      parameters[name] = value;
      continue;
    }
    const bytes = new Uint8Array(await new Response(value).arrayBuffer());
    inputs.push(bytes.byteLength === 0 ? { error: emptyImage() } : { bytes });
  }
  if (inputs.length === 0) throw new RequestError('missing_image', 'the form has no field "image"');
  if (inputs.length === 1 && 'error' in inputs[0]!) throw inputs[0].error;
  settle(inputs, memory);
  return { inputs, isList: inputs.length > 1, parameters };
}

function readJson(body: Record<string, unknown>): ImageInputs {
  const { image, images, url, r2, ...parameters } = body;
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

function emptyImage(): RequestError {
  return new RequestError('empty_body', 'the field "image" is empty: 0 bytes');
}
