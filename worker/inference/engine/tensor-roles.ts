/** What each constant of a network is for, and so in which form it is kept in memory. Pure. */
import { ModelError } from '../../errors.ts';
import { packedWeightBytes, productDepth, rowStride } from './layout.ts';
import type { Int8Network, Step, TensorId } from './network.ts';

/** The form of a constant in the engine's memory. */
export type TensorRole =
  /** Packed weights: from u8 [runs, inputs, outputs] ('rows') or [outputs, channels, runs, columns] ('planes', a run being columns * channels). */
  | {
      readonly kind: 'weights';
      readonly order: 'rows' | 'planes';
      readonly runs: number;
      readonly inputs: number;
      readonly outputs: number;
    }
  /** The first `count` float32 numbers, times `factor`; zeros up to a multiple of 8. */
  | { readonly kind: 'floats'; readonly count: number; readonly factor: number };

/**
 * The role of each tensor, by its id; null for those that no step reads.
 * @throws ModelError `model_corrupt` if two steps read one tensor in different ways.
 */
export function tensorRoles(network: Int8Network): (TensorRole | null)[] {
  const roles = new Array<TensorRole | null>(network.tensors.length).fill(null);
  const assign = (id: TensorId, role: TensorRole): void => {
    const given = roles[id];
    if (given !== null && JSON.stringify(given) !== JSON.stringify(role)) {
      throw new ModelError('model_corrupt', `tensor ${network.tensors[id]!.name} is read in two different ways`);
    }
    roles[id] = role;
  };
  for (const step of network.steps) assignRoles(step, network, assign);
  return roles;
}

/** Bytes that a constant takes in the engine's memory. */
export function roleBytes(role: TensorRole): number {
  if (role.kind === 'floats') return 4 * rowStride(role.count);
  return packedWeightBytes(productDepth(role.runs, role.inputs), role.outputs);
}

function assignRoles(step: Step, network: Int8Network, assign: (id: TensorId, role: TensorRole) => void): void {
  const { values, input } = network;
  const floats = (count: number, factor = 1): TensorRole => ({ kind: 'floats', count, factor });
  switch (step.kind) {
    case 'stem': {
      const outputs = values[step.output]!.channels;
      const { kernel } = step.window;
      assign(step.weight, { kind: 'weights', order: 'planes', runs: kernel, inputs: kernel * input.channels, outputs });
      assign(step.scales, floats(outputs));
      return;
    }
    case 'norm': {
      const { channels } = values[step.input]!;
      assign(step.gamma, floats(channels));
      assign(step.beta, floats(channels));
      return;
    }
    case 'convolution': {
      const from = values[step.input]!;
      const outputs = values[step.output]!.channels;
      assign(step.weight, {
        kind: 'weights',
        order: 'rows',
        runs: step.window.kernel ** 2,
        inputs: from.channels,
        outputs,
      });
      assign(step.scales, floats(outputs, from.quantization!.scale));
      return;
    }
    case 'classifier': {
      const labels = values[step.output]!.channels;
      const inputs = values[step.input]!.channels;
      assign(step.weight, { kind: 'weights', order: 'rows', runs: 1, inputs, outputs: labels });
      assign(step.scales, floats(labels, step.quantization.scale));
      if (step.bias !== null) assign(step.bias, floats(labels));
      return;
    }
    case 'average':
      return;
  }
}
