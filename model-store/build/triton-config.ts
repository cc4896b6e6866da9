/**
 * The configuration of a model in a Triton model repository (`config.pbtxt`). Pure, no I/O.
 * Source: Triton Inference Server, "Model Configuration"; protobuf text format of `ModelConfig`.
 */
import { ModelError } from '../../worker/errors.ts';
import type { Manifest, TensorSpecification, Variant } from '../manifest.ts';
import { tritonTensor } from '../triton-tensor.ts';

/** How Triton is to run the model. */
export interface TritonOptions {
  /** Triton numbers versions; this one's number. */
  readonly version: number;
  /** Most images of one batch. */
  readonly maxBatch: number;
  readonly maxDelayMicroseconds: number;
  readonly device: 'gpu' | 'cpu';
}

/** File of the class labels, one a line, beside `config.pbtxt`. */
export const TRITON_LABELS_FILE = 'labels.txt';

/**
 * The text of `config.pbtxt` for the `gpu` variant.
 * @throws ModelError `model_unavailable` where there is no such variant; `invalid_manifest` where a tensor's first dimension
 *   is no free batch.
 */
export function tritonConfig(manifest: Manifest, options: TritonOptions): string {
  const { variant, preferred } = { variant: gpuVariant(manifest), preferred: preferredBatches(options.maxBatch) };
  return [
    `# bit-edge ${manifest.name} ${manifest.version}`,
    `name: ${quote(manifest.name)}`,
    'platform: "onnxruntime_onnx"',
    'backend: "onnxruntime"',
    `default_model_filename: ${quote(variant.model.path)}`,
    `max_batch_size: ${options.maxBatch}`,
    ...variant.inputs.map((input) => tensorBlock('input', input, null)),
    ...variant.outputs.map((output) => tensorBlock('output', output, labelsOf(manifest, output))),
    `version_policy: { specific: { versions: [ ${options.version} ] } }`,
    `dynamic_batching {\n  preferred_batch_size: [ ${preferred.join(', ')} ]\n  max_queue_delay_microseconds: ${options.maxDelayMicroseconds}\n}`,
    `instance_group [\n  {\n    count: 1\n    kind: ${options.device === 'gpu' ? 'KIND_GPU' : 'KIND_CPU'}\n  }\n]`,
    `parameters: { key: "bit_edge_version" value: { string_value: ${quote(manifest.version)} } }`,
    '',
  ].join('\n');
}

/**
 * The variant that a GPU serves.
 * @throws ModelError `model_unavailable` where the version has none.
 */
export function gpuVariant(manifest: Manifest): Variant {
  const variant = manifest.variants.gpu;
  if (variant !== undefined) return variant;
  const there = Object.keys(manifest.variants);
  throw new ModelError(
    'model_unavailable',
    `${manifest.name}/${manifest.version} has no variant "gpu"; it has ${there}`,
    {
      details: { model: manifest.name, version: manifest.version, variants: there },
    },
  );
}

/** Powers of two below the largest batch, and it: Triton waits for these sizes within the delay. */
function preferredBatches(maxBatch: number): number[] {
  const sizes = [4, 8, 16, 32, 64, 128, 256].filter((size) => size < maxBatch);
  return [...sizes, maxBatch];
}

function labelsOf(manifest: Manifest, output: TensorSpecification): string | null {
  return output.name === 'logits' && manifest.num_labels > 0 ? TRITON_LABELS_FILE : null;
}

function tensorBlock(kind: 'input' | 'output', tensor: TensorSpecification, labels: string | null): string {
  if (typeof tensor.shape[0] !== 'string') {
    throw new ModelError(
      'invalid_manifest',
      `tensor "${tensor.name}": the first of [${tensor.shape}] is not a free batch dimension`,
    );
  }
  const { data_type: type, dims } = tritonTensor(tensor);
  const label = labels === null ? '' : `\n    label_filename: ${quote(labels)}`;
  return `${kind} [\n  {\n    name: ${quote(tensor.name)}\n    data_type: ${type}\n    dims: [ ${dims.join(', ')} ]${label}\n  }\n]`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
