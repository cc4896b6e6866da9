/** Runs a variant on the inputs of a reference file and compares every output that the file has. */
import type { VariantName } from '../../../model-store/manifest.ts';
import type { SafetensorsTensor } from '../../../model-store/safetensors.ts';
import { tensorToFloat32 } from '../../../model-store/safetensors.ts';
import { ModelError } from '../../../worker/errors.ts';
import type { Tensor } from '../../../worker/inference/inference-session.ts';
import type { OpenVariant } from '../onnx/variant-runner.ts';
import { compareTensors, sameExtent, type TensorDifference } from './compare.ts';

/** What verifying found. */
export interface Verification {
  readonly variant: VariantName;
  /** By the reference file's names. */
  readonly tensors: Readonly<Record<string, TensorDifference>>;
  /** Inputs of the reference that have another size than the variant's fixed one. */
  readonly not_run: readonly string[];
  /** Tensors of the reference that the variant does not give. */
  readonly not_in_variant: readonly string[];
  /** The tensor that is furthest off, relatively. */
  readonly worst: { readonly tensor: string; readonly relative: number };
}

/** Names of what a reference file feeds in: normalised float32, or the `gpu` variant's bytes. */
const INPUTS = ['pixel_values', 'image'];

/**
 * Compares a variant with a reference: `pixel_values[.case]` in, `logits[.case]`, `pooler_output[.case]`,
 * `last_hidden_state[.case]` and `hidden_states.<n>[.case]` (0 is the stem, n the stage) out.
 * @param file what to call the reference in messages.
 * @throws ModelError `invalid_checkpoint` where the reference has no input for this variant, or another shape.
 */
export function verifyVariant(
  open: OpenVariant,
  reference: ReadonlyMap<string, SafetensorsTensor>,
  file: string,
): Verification {
  const input = open.variant.inputs[0]!;
  const cases = [...reference.keys()].filter((name) => name === input.name || name.startsWith(`${input.name}.`));
  if (cases.length === 0) {
    const problem = `no "${input.name}", the input of variant ${open.name}; it has ${[...reference.keys()].slice(0, 4).join(', ')}`;
    throw new ModelError('invalid_checkpoint', `${file}: ${problem}`);
  }
  const tensors: Record<string, TensorDifference> = {};
  const notInVariant: string[] = [];
  const available = open.variant.outputs.map(({ name }) => name);
  const notRun: string[] = [];
  for (const inputName of cases) {
    const feed = toInput(reference.get(inputName)!, input.dtype, `${file}: ${inputName}`);
    if (!fits(feed.shape, input.shape)) {
      notRun.push(inputName);
      continue;
    }
    const suffix = inputName.slice(input.name.length);
    const wanted = new Map<string, string>();
    for (const name of reference.keys()) {
      const output = isInput(name) || !name.endsWith(suffix) ? null : outputName(name, suffix, available);
      if (output === null) continue;
      if (available.includes(output)) wanted.set(name, output);
      else notInVariant.push(name);
    }
    const outputs = open.session.run(new Map([[input.name, feed]]), [...new Set(wanted.values())]);
    for (const [name, output] of wanted) {
      const actual = outputs.get(output)!;
      const tensor = reference.get(name)!;
      if (actual.type !== 'float32' || !sameExtent(actual.shape, tensor.shape)) {
        throw new ModelError(
          'invalid_checkpoint',
          `${file}: ${name} is [${tensor.shape}], the model gives [${actual.shape}]`,
        );
      }
      tensors[name] = compareTensors(actual.data, tensorToFloat32(tensor), tensor.shape);
    }
  }
  const names = Object.keys(tensors);
  if (names.length === 0) {
    throw new ModelError(
      'invalid_checkpoint',
      `${file}: nothing to compare with variant ${open.name}: input [${input.shape}], outputs ${available.join(', ')}`,
    );
  }
  const worst = names.reduce((a, b) => (tensors[b]!.relative > tensors[a]!.relative ? b : a));
  return {
    variant: open.name,
    tensors,
    not_run: notRun,
    not_in_variant: notInVariant,
    worst: { tensor: worst, relative: tensors[worst]!.relative },
  };
}

/** Whether a shape is what a graph declares; a name stands for any size. */
function fits(shape: readonly number[], declared: readonly (number | string)[]): boolean {
  return (
    shape.length === declared.length && declared.every((size, axis) => typeof size === 'string' || size === shape[axis])
  );
}

function isInput(name: string): boolean {
  return INPUTS.some((input) => name === input || name.startsWith(`${input}.`));
}

/** Our name of a reference tensor; null where it belongs to another case. HF's logits without a classifier are the embedding. */
function outputName(name: string, suffix: string, available: readonly string[]): string | null {
  const stem = name.slice(0, name.length - suffix.length);
  const stage = /^hidden_states\.(\d+)$/.exec(stem)?.[1];
  if (stage !== undefined) return stage === '0' ? 'stem' : `stage${stage}`;
  if (stem === 'logits' && !available.includes('logits')) return 'pooler_output';
  return stem.includes('.') ? null : stem;
}

function toInput(tensor: SafetensorsTensor, dtype: string, what: string): Tensor {
  if (dtype === 'uint8') {
    if (tensor.dtype !== 'U8') throw new ModelError('invalid_checkpoint', `${what} is ${tensor.dtype}, must be U8`);
    return { type: 'uint8', shape: tensor.shape, data: tensor.data };
  }
  return { type: 'float32', shape: tensor.shape, data: tensorToFloat32(tensor) };
}
