/**
 * Inference responses of Open Inference Protocol v2, both directions, and its error body. Pure.
 * Source: Open Inference Protocol, "Inference Response JSON Object" and "... JSON Error Object".
 */
import * as z from 'zod';
import type { Tensor } from './datatypes.ts';
import {
  buildMessage,
  type Message,
  type Parameters,
  parametersSchema,
  readTensors,
  splitMessage,
  tensorEntrySchema,
} from './message.ts';

/** A whole response. */
export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion?: string | undefined;
  /** The request's. */
  readonly id?: string | undefined;
  readonly parameters?: Parameters | undefined;
  readonly outputs: readonly Tensor[];
}

const responseSchema = z.object({
  // The specification's own example leaves `model_name` out.
  model_name: z.string().default(''),
  model_version: z.string().optional(),
  id: z.string().optional(),
  parameters: parametersSchema.optional(),
  outputs: z.array(tensorEntrySchema),
});

/**
 * Encodes a response.
 * @param isBinary which outputs travel as binary data (`wantsBinary` of the request).
 * @throws RequestError `unsupported_media_type` where JSON cannot carry an output.
 */
export function encodeInferResponse(response: InferResponse, isBinary: (name: string) => boolean): Message {
  const { modelName, modelVersion, id, parameters, outputs } = response;
  const fields = {
    model_name: modelName,
    ...(modelVersion !== undefined && { model_version: modelVersion }),
    ...(id !== undefined && { id }),
    ...(parameters && { parameters }),
  };
  return buildMessage(fields, 'outputs', outputs, isBinary);
}

/**
 * Decodes a response. Tensors are views of `body` where its alignment allows.
 * @throws RequestError `invalid_body`, naming the field or tensor, with the numbers.
 */
export function decodeInferResponse(body: Uint8Array, headerLength: number | null): InferResponse {
  const { header, binary } = splitMessage(body, headerLength, responseSchema);
  return {
    modelName: header.model_name,
    modelVersion: header.model_version,
    id: header.id,
    parameters: header.parameters,
    outputs: readTensors(header.outputs, binary),
  };
}

const errorSchema = z.object({ error: z.string() });

/** The message of an error body, or null where it is none. */
export function decodeError(text: string): string | null {
  try {
    return errorSchema.parse(JSON.parse(text)).error;
  } catch {
    return null;
  }
}
