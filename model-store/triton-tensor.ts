/** Tensors in the names of Triton's model configuration. Pure. Source: Triton Inference Server, "Model Configuration". */
import type { TensorSpecification } from './manifest.ts';

const DATA_TYPES = { float32: 'TYPE_FP32', float16: 'TYPE_FP16', uint8: 'TYPE_UINT8' } as const;

/** A tensor without its batch; a free dimension is -1. */
export function tritonTensor({ name, dtype, shape }: TensorSpecification) {
  const dims = shape.slice(1).map((size) => (typeof size === 'string' ? -1 : size));
  return { name, data_type: DATA_TYPES[dtype], dims };
}
