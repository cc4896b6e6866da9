/**
 * The frame of a request or response: a JSON header, then the binary tensors in the header's order. Pure.
 * Source: Triton, "Binary Tensor Data Extension"; the length of the JSON is the header `Inference-Header-Content-Length`.
 */
import * as z from 'zod';
import { RequestError } from '../errors.ts';
import { describeIssue } from '../issue-text.ts';
import { checkJsonShape } from '../json-shape.ts';
import { binarySize, readBinary, writeBinary } from './binary-data.ts';
import { elementCount, isDatatype, type Tensor } from './datatypes.ts';
import { readJson, writeJson } from './json-data.ts';

/** The HTTP header that gives the length in bytes of a message's JSON; absent where the whole body is JSON. */
export const HEADER_LENGTH_HEADER = 'inference-header-content-length';

/** Tensors begin on this boundary, so that a reader can use views: JSON may end in spaces. */
const ALIGNMENT_BYTES = 8;

/** Name and value pairs of a request, a tensor or a response. */
export type Parameters = Readonly<Record<string, string | number | boolean>>;

/** A message ready to send. */
export interface Message {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Bytes of JSON at the beginning of `body`; null where all of it is JSON. */
  readonly headerLength: number | null;
}

/** The HTTP headers that describe a message. */
export function messageHeaders(message: Message): Record<string, string> {
  return message.headerLength === null
    ? { 'content-type': 'application/json' }
    : { 'content-type': 'application/octet-stream', [HEADER_LENGTH_HEADER]: String(message.headerLength) };
}

/**
 * Reads the value of `Inference-Header-Content-Length`.
 * @throws RequestError `invalid_body` where it is no count of bytes.
 */
export function parseHeaderLength(value: string | null | undefined): number | null {
  if (value === null || value === undefined) return null;
  if (!/^\d{1,15}$/.test(value.trim())) {
    throw new RequestError('invalid_body', `Inference-Header-Content-Length is "${value.slice(0, 40)}": no byte count`);
  }
  return Number(value);
}

/** What a message's JSON may hold: names and parameters, and the elements of its tensors. */
export interface MessageLimits {
  readonly maxElements: number;
  /** Arrays within `data`, which may nest as the tensor does. */
  readonly maxArrays: number;
}

/** For those who have memory: a batch of 64 images of 224 px, nested. */
const DEFAULT_LIMITS: MessageLimits = { maxElements: 32 * 1024 * 1024, maxArrays: 4 * 1024 * 1024 };

/** Values of a header besides tensor data, and how deep data may nest: as deep as shapes are long, and what is around them. */
const MAX_HEADER_VALUES = 4096;
const MAX_RANK = 8;
const HEADER_DEPTH = 4;

/** Elements of a BYTES tensor: each is an object, however short. */
const MAX_BYTES_ELEMENTS = 4096;

/** Schema of `parameters`. */
export const parametersSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** Schema of a member that may be absent; null is absent. */
export function orNull<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** Schema of one tensor in a header: with `data`, or with the parameter `binary_data_size`. */
export const tensorEntrySchema = z.object({
  name: z.string().min(1),
  shape: z.array(z.number()).max(MAX_RANK),
  datatype: z.string(),
  parameters: orNull(parametersSchema),
  data: orNull(z.unknown()),
});
type TensorEntry = z.infer<typeof tensorEntrySchema>;

/**
 * Splits a body into its JSON, checked against `schema`, and the bytes behind it.
 * @throws RequestError `invalid_body` where the lengths disagree, the JSON is none, or a field is wrong (it is named).
 */
export function splitMessage<T>(
  body: Uint8Array,
  headerLength: number | null,
  schema: z.ZodType<T>,
  { maxElements, maxArrays }: MessageLimits = DEFAULT_LIMITS,
): { header: T; binary: Uint8Array } {
  const length = headerLength ?? body.byteLength;
  if (length > body.byteLength) {
    throw new RequestError(
      'invalid_body',
      `Inference-Header-Content-Length is ${length}; the body has ${body.byteLength} bytes`,
      {
        details: { headerLength: length, bytes: body.byteLength },
      },
    );
  }
  const text = body.subarray(0, length);
  checkJsonShape(text, {
    maxDepth: MAX_RANK + HEADER_DEPTH,
    maxValues: MAX_HEADER_VALUES,
    bulk: { member: 'data', maxValues: maxElements + maxArrays, maxContainers: maxArrays },
  });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text));
  } catch (cause) {
    throw new RequestError('invalid_body', `the first ${length} bytes are no JSON`, {
      cause,
      details: { bytes: length },
    });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new RequestError('invalid_body', `${issue.path.join('.') || 'message'}: ${describeIssue(issue)}`);
  }
  return { header: result.data, binary: body.subarray(length) };
}

/**
 * Reads the tensors that a header announces.
 * @throws RequestError `invalid_body` where data is missing, given twice, does not fit, or bytes are left over.
 */
export function readTensors(entries: readonly TensorEntry[], binary: Uint8Array): Tensor[] {
  let offset = 0;
  const seen = new Set<string>();
  const tensors = entries.map((entry) => {
    const { name, datatype, shape } = entry;
    if (seen.has(name)) throw new RequestError('invalid_body', `tensor "${name}" is given twice`);
    seen.add(name);
    const isBytes = datatype === 'BYTES';
    if (isBytes && elementCount(name, shape) > MAX_BYTES_ELEMENTS) {
      throw new RequestError(
        'invalid_body',
        `tensor "${name}": shape [${shape}] of BYTES has over ${MAX_BYTES_ELEMENTS} elements`,
        { details: { tensor: name, limit: MAX_BYTES_ELEMENTS } },
      );
    }
    if (!isDatatype(datatype)) {
      throw new RequestError('invalid_body', `tensor "${name}": "${datatype.slice(0, 40)}" is not a data type we know`);
    }
    const size = entry.parameters?.binary_data_size;
    if ((size === undefined) === (entry.data === undefined)) {
      throw new RequestError(
        'invalid_body',
        `tensor "${name}": give either "data" or the parameter "binary_data_size"`,
      );
    }
    if (size === undefined) return readJson(name, datatype, shape, entry.data);
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || offset + size > binary.byteLength) {
      throw new RequestError(
        'invalid_body',
        `tensor "${name}": binary_data_size ${size}; ${binary.byteLength - offset} of ${binary.byteLength} binary bytes are left`,
        { details: { tensor: name, left: binary.byteLength - offset, bytes: binary.byteLength } },
      );
    }
    offset += size;
    return readBinary(name, datatype, shape, binary.subarray(offset - size, offset));
  });
  if (offset !== binary.byteLength) {
    throw new RequestError('invalid_body', `${binary.byteLength - offset} binary bytes belong to no tensor`, {
      details: { bytes: binary.byteLength, used: offset },
    });
  }
  return tensors;
}

/**
 * Builds a message: `fields`, then the tensors under `key`, each as JSON or as binary data.
 * @throws RequestError where JSON cannot carry a tensor's data.
 */
export function buildMessage(
  fields: Readonly<Record<string, unknown>>,
  key: 'inputs' | 'outputs',
  tensors: readonly Tensor[],
  isBinary: (name: string) => boolean,
): Message {
  const binary = tensors.filter((tensor) => isBinary(tensor.name));
  const entries = tensors.map((tensor) =>
    isBinary(tensor.name)
      ? entryText(tensor, { parameters: { binary_data_size: binarySize(tensor) } })
      : `${entryText(tensor, {}).slice(0, -1)},"data":${writeJson(tensor)}}`,
  );
  const { body, headerLength } = frame(
    fields,
    key,
    entries,
    binary.reduce((sum, each) => sum + binarySize(each), 0),
  );
  if (binary.length === 0) return { body, headerLength: null };
  let offset = headerLength;
  for (const tensor of binary) offset = writeBinary(tensor, body, offset);
  return { body, headerLength };
}

/** A tensor whose bytes are yet to be written. */
export interface TensorSlot {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** Builds a message whose binary tensors are left zero, and returns where each one's bytes go. */
export function reserveMessage(
  fields: Readonly<Record<string, unknown>>,
  key: 'inputs' | 'outputs',
  slots: readonly TensorSlot[],
): { message: Message; data: Uint8Array<ArrayBuffer>[] } {
  const entries = slots.map((slot) => entryText(slot, { parameters: { binary_data_size: slot.bytes } }));
  const { body, headerLength } = frame(
    fields,
    key,
    entries,
    slots.reduce((sum, slot) => sum + slot.bytes, 0),
  );
  let offset = headerLength;
  const data = slots.map((slot) => {
    offset += slot.bytes;
    return body.subarray(offset - slot.bytes, offset);
  });
  return { message: { body, headerLength }, data };
}

function entryText(
  { name, shape, datatype }: Omit<TensorSlot, 'bytes'>,
  more: Readonly<Record<string, unknown>>,
): string {
  return JSON.stringify({ name, shape, datatype, ...more });
}

function frame(
  fields: Readonly<Record<string, unknown>>,
  key: 'inputs' | 'outputs',
  entries: readonly string[],
  binaryBytes: number,
): { body: Uint8Array<ArrayBuffer>; headerLength: number } {
  const start = JSON.stringify(fields).slice(0, -1);
  const text = `${start}${start === '{' ? '' : ','}"${key}":[${entries.join(',')}]}`;
  const encoded = new TextEncoder().encode(text);
  const alignment = binaryBytes === 0 ? 1 : ALIGNMENT_BYTES;
  const headerLength = Math.ceil(encoded.byteLength / alignment) * alignment;
  const body = new Uint8Array(headerLength + binaryBytes).fill(0x20, encoded.byteLength, headerLength);
  body.set(encoded);
  return { body, headerLength };
}
