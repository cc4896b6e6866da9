/**
 * The order of channels inside an int8 graph: those that have the same place in their groups lie side by side. With
 * G groups of a group norm, channel g * channels / G + j of the checkpoint is number j * G + g here. What a group norm
 * adds up then lies in G columns, whatever else a row holds, and one matrix product adds it. Pure arithmetic.
 */

/** The checkpoint's channel at each place of the graph's order. */
export type ChannelOrder = Uint32Array;

/** The order of `channels` channels in `groups` groups. */
export function groupMinorOrder(channels: number, groups: number): ChannelOrder {
  const perGroup = channels / groups;
  return Uint32Array.from({ length: channels }, (_, place) => (place % groups) * perGroup + Math.floor(place / groups));
}

/** The checkpoint's own order. */
export function checkpointOrder(channels: number): ChannelOrder {
  return Uint32Array.from({ length: channels }, (_, channel) => channel);
}

/** Values of each channel in a graph's order. */
export function reorder(values: Float32Array, order: ChannelOrder): Float32Array {
  return Float32Array.from(order, (channel) => values[channel]!);
}

/** A kernel [output channels, input channels, taps] in a graph's order on both sides. */
export function reorderKernel<T extends Uint8Array | Float32Array>(
  kernel: T,
  outputs: ChannelOrder,
  inputs: ChannelOrder,
): T {
  const taps = kernel.length / (outputs.length * inputs.length);
  const reordered = kernel.slice() as T;
  let at = 0;
  for (const output of outputs) {
    for (const input of inputs) {
      const start = (output * inputs.length + input) * taps;
      for (let tap = 0; tap < taps; tap++) reordered[at++] = kernel[start + tap]!;
    }
  }
  return reordered;
}
