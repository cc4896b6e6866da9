/**
 * Inference requests of Open Inference Protocol v2, both directions. Pure.
 * Source: Open Inference Protocol, "Inference Request JSON Object"; Triton, "Binary Tensor Data Extension".
 */
import * as z from 'zod';
import { RequestError } from '../errors.ts';
import { DATATYPE_BYTES, elementCount, type NumericTensor, type Tensor } from './datatypes.ts';
import {
  buildMessage,
  type Message,
  type MessageLimits,
  orNull,
  type Parameters,
  parametersSchema,
  readTensors,
  reserveMessage,
  splitMessage,
  tensorEntrySchema,
} from './message.ts';

/** An output that a request asks for; `parameters.binary_data` overrides the request's `binary_data_output`. */
export interface RequestedOutput {
  readonly name: string;
  readonly parameters?: Parameters | undefined;
}

/** What surrounds a request's tensors. */
export interface RequestFields {
  /** Comes back in the response. */
  readonly id?: string | undefined;
  readonly parameters?: Parameters | undefined;
  /** Absent: all outputs of the model. */
  readonly outputs?: readonly RequestedOutput[] | undefined;
}

/** A whole request. */
export interface InferRequest extends RequestFields {
  readonly inputs: readonly Tensor[];
}

/** Generated clients send null for what is absent. */
const requestSchema = z.object({
  id: orNull(z.string()),
  parameters: orNull(parametersSchema),
  inputs: z.array(tensorEntrySchema).min(1),
  outputs: orNull(z.array(z.object({ name: z.string().min(1), parameters: orNull(parametersSchema) }))),
});

/**
 * Encodes a request.
 * @param encoding how the inputs travel: `binary` (the default) or `json`. How outputs come back is the request's own
 *   `parameters.binary_data_output`.
 * @throws RequestError where JSON cannot carry an input.
 */
export function encodeInferRequest(request: InferRequest, encoding: 'binary' | 'json' = 'binary'): Message {
  return buildMessage(requestFields(request), 'inputs', request.inputs, () => encoding === 'binary');
}

/**
 * Makes a request whose inputs are yet to be written, so that images can be placed straight into the body.
 * @returns the message, and for every input the bytes of its data within `message.body`, zero until written.
 * @throws RequestError `invalid_body` for an impossible shape.
 */
export function reserveInferRequest(
  fields: RequestFields,
  inputs: readonly Pick<NumericTensor, 'name' | 'datatype' | 'shape'>[],
): { message: Message; data: Uint8Array<ArrayBuffer>[] } {
  const slots = inputs.map(({ name, datatype, shape }) => {
    return { name, datatype, shape, bytes: elementCount(name, shape) * DATATYPE_BYTES[datatype] };
  });
  return reserveMessage(requestFields(fields), 'inputs', slots);
}

/**
 * Decodes a request. Tensors are views of `body` where its alignment allows.
 * @param headerLength the value of `Inference-Header-Content-Length`; null where the body is JSON alone.
 * @param limits of the JSON; looked at before it is parsed.
 * @throws RequestError `body_too_large`; `invalid_body`, naming the field or tensor, with the numbers.
 */
export function decodeInferRequest(
  body: Uint8Array,
  headerLength: number | null,
  limits?: MessageLimits,
): InferRequest {
  const { header, binary } = splitMessage(body, headerLength, requestSchema, limits);
  const names = header.outputs?.map((output) => output.name) ?? [];
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw new RequestError('invalid_body', `output "${repeated}" is asked for twice`);
  return {
    id: header.id,
    parameters: header.parameters,
    outputs: header.outputs,
    inputs: readTensors(header.inputs, binary),
  };
}

/** Whether an output of a request is to be answered as binary data. */
export function wantsBinary(request: RequestFields, output: string): boolean {
  const own = request.outputs?.find((each) => each.name === output)?.parameters?.binary_data;
  return (own ?? request.parameters?.binary_data_output) === true;
}

function requestFields({ id, parameters, outputs }: RequestFields): Record<string, unknown> {
  return { ...(id !== undefined && { id }), ...(parameters && { parameters }), ...(outputs && { outputs }) };
}
