/** What a model takes and gives, in the protocol's terms, and whether a request fits. Pure. */
import type { TensorSpecification, Variant } from '../model-store/manifest.ts';
import { ModelError, RequestError } from '../worker/errors.ts';
import type { Datatype, Tensor } from '../worker/oip/datatypes.ts';
import type { InferRequest } from '../worker/oip/infer-request.ts';
import type { TensorMetadata } from '../worker/oip/metadata.ts';

const DATATYPES = { float32: 'FP32', float16: 'FP16', uint8: 'UINT8' } as const satisfies Record<
  TensorSpecification['dtype'],
  Datatype
>;

/** Inputs and outputs; the first dimension is the batch, and a dimension that varies is -1. */
export interface ModelSignature {
  readonly inputs: readonly SignatureTensor[];
  readonly outputs: readonly SignatureTensor[];
}

/** One input or output. */
export interface SignatureTensor extends TensorMetadata {
  readonly datatype: Datatype;
}

/**
 * The signature of a variant.
 * @throws ModelError `invalid_manifest` where a tensor's batch is not free: it could not be batched.
 */
export function signatureOf(variant: Variant): ModelSignature {
  const convert = ({ name, dtype, shape }: TensorSpecification): SignatureTensor => {
    if (typeof shape[0] !== 'string') {
      throw new ModelError(
        'invalid_manifest',
        `tensor "${name}": the first of [${shape}] is not a free batch dimension`,
      );
    }
    return { name, datatype: DATATYPES[dtype], shape: shape.map((each) => (typeof each === 'string' ? -1 : each)) };
  };
  return { inputs: variant.inputs.map(convert), outputs: variant.outputs.map(convert) };
}

/** A request that fits: how many rows it has, which others it can share a batch with, what it wants. */
export interface CheckedRequest {
  /** In the signature's order. */
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  /** Requests with the same key have the same row shapes. */
  readonly key: string;
  readonly outputs: readonly string[];
}

/**
 * Checks a request against a signature.
 * @throws RequestError `invalid_body`, naming the tensor, with both shapes.
 */
export function checkRequest(request: InferRequest, signature: ModelSignature): CheckedRequest {
  const unknown = request.inputs.find((input) => !signature.inputs.some((each) => each.name === input.name));
  if (unknown !== undefined) {
    throw new RequestError('invalid_body', `input "${unknown.name}" is unknown; inputs: ${namesOf(signature.inputs)}`);
  }
  const inputs = signature.inputs.map((expected) => {
    const input = request.inputs.find((each) => each.name === expected.name);
    if (input === undefined) throw new RequestError('invalid_body', `input "${expected.name}" is missing`);
    checkInput(input, expected);
    return input;
  });
  const rows = inputs[0]!.shape[0]!;
  const uneven = inputs.find((input) => input.shape[0] !== rows);
  if (uneven !== undefined) {
    throw new RequestError(
      'invalid_body',
      `input "${uneven.name}" has ${uneven.shape[0]} rows; "${inputs[0]!.name}" ${rows}`,
    );
  }
  const outputs = request.outputs?.map((output) => output.name) ?? signature.outputs.map((output) => output.name);
  const missing = outputs.find((name) => !signature.outputs.some((each) => each.name === name));
  if (missing !== undefined) {
    throw new RequestError('invalid_body', `output "${missing}" is unknown; outputs: ${namesOf(signature.outputs)}`);
  }
  return { inputs, rows, key: inputs.map((input) => input.shape.slice(1).join('x')).join(';'), outputs };
}

function checkInput(input: Tensor, expected: SignatureTensor): void {
  const { name, shape, datatype } = input;
  if (datatype !== expected.datatype) {
    throw new RequestError('invalid_body', `input "${name}" is ${datatype}; the model takes ${expected.datatype}`);
  }
  const fits =
    shape.length === expected.shape.length &&
    shape.every((dimension, axis) => dimension > 0 && [-1, dimension].includes(expected.shape[axis]!));
  if (!fits) {
    throw new RequestError(
      'invalid_body',
      `input "${name}" has shape [${shape}]; the model takes [${expected.shape}]`,
      {
        details: { input: name, shape, expected: expected.shape },
      },
    );
  }
}

function namesOf(tensors: readonly SignatureTensor[]): string {
  return tensors.map((each) => each.name).join(', ');
}
