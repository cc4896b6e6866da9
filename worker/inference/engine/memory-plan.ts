/**
 * Where everything of a network is in the engine's memory: constants one behind the other, then values, which share the rest by their
 * lifetimes. What a model takes is known to the byte before a byte of it is taken. Pure arithmetic.
 */
import { factorsBytes, mapBorders, scratchBytes, windowBorder } from './kernel-needs.ts';
import { ALIGNMENT_BYTES, type Border, KERNEL_DATA_BYTES, mapBytes, rowStride, rowsBytes } from './layout.ts';
import { type Interval, placeIntervals } from './memory-intervals.ts';
import { type Int8Network, type NetworkValue, readBy, type Step, type ValueId, writtenBy } from './network.ts';
import { roleBytes, tensorRoles } from './tensor-roles.ts';

/** A page of WebAssembly memory. */
const PAGE_BYTES = 64 * 1024;

/** Largest memory that is planned: addresses are signed 32-bit numbers in places, and an isolate has a tenth of it. */
const MAX_MEMORY_BYTES = 1024 ** 3;

/** Where a value is. */
export interface PlannedValue {
  /** Of a map, its border included. */
  readonly address: number;
  /** Of an 8-bit map: what its readers need around it. Null for float32. */
  readonly border: Border | null;
  /** Where its statistics are, float32 [2, groups], if a group norm reads it. */
  readonly statistics: number | null;
}

/** One network's memory; addresses are bytes. */
export interface EnginePlan {
  readonly pages: number;
  /** The same in bytes: all that a loaded model takes. */
  readonly bytes: number;
  /** Where a constant's bytes are brought before they get their form: the values' memory, as no step runs meanwhile. */
  readonly staging: { readonly address: number; readonly bytes: number };
  /** float32 [channels, height, width]. */
  readonly pixels: number;
  /** The image as 8 bits, channels last. */
  readonly image: { readonly address: number; readonly border: Border };
  readonly values: readonly PlannedValue[];
  /** Null for constants that no step reads. */
  readonly tensors: readonly ({ readonly address: number } | null)[];
  readonly scratch: number;
  readonly factors: number;
}

/**
 * Plans a network's memory.
 * @returns null for a network that is too large for any.
 */
export function planMemory(network: Int8Network): EnginePlan | null {
  const constants = new Region(KERNEL_DATA_BYTES);
  const tensors = tensorRoles(network).map((role) => role && { address: constants.take(roleBytes(role)) });
  const normed = new Set(network.steps.flatMap((step) => (step.kind === 'norm' ? [step.input] : [])));
  const statistics = network.values.map((_, id) => (normed.has(id) ? constants.take(8 * network.groups) : null));
  const factors = constants.take(factorsBytes(network));
  const scratch = constants.take(scratchBytes(network));
  if (constants.end > MAX_MEMORY_BYTES) return null;

  const image = imageOf(network);
  const borders = mapBorders(network);
  const { intervals, intervalOf } = lifetimes(network, image.bytes, borders);
  const { offsets, bytes: valuesBytes } = placeIntervals(intervals);
  const first = constants.end;
  const stagingBytes = network.tensors.reduce((most, { source }) => Math.max(most, source.bytes), 0);
  // A kernel may read one vector more than there is.
  const used = first + Math.max(valuesBytes, align(stagingBytes)) + ALIGNMENT_BYTES;
  if (!(used <= MAX_MEMORY_BYTES)) return null;
  const pages = Math.ceil(used / PAGE_BYTES);
  return {
    pages,
    bytes: pages * PAGE_BYTES,
    staging: { address: first, bytes: stagingBytes },
    pixels: first + offsets[PIXELS]!,
    image: { address: first + offsets[IMAGE]!, border: image.border },
    values: network.values.map(({ quantization }, id) => ({
      address: first + offsets[intervalOf[id]!]!,
      border: quantization === null ? null : (borders[id] ?? NO_BORDER),
      statistics: statistics[id]!,
    })),
    tensors,
    scratch,
    factors,
  };
}

const NO_BORDER: Border = { top: 0, left: 0, bottom: 0, right: 0 };

/** The first two intervals: the pixel values, and the image as 8 bits. */
const PIXELS = 0;
const IMAGE = 1;

function imageOf(network: Int8Network): { readonly bytes: number; readonly border: Border } {
  const { height, width, channels } = network.input;
  const stem = network.steps.find((step) => step.kind === 'stem');
  const border = stem === undefined ? NO_BORDER : windowBorder(stem.window, network.input, stem);
  return { border, bytes: mapBytes(height, width, channels, border) };
}

interface Lifetimes {
  readonly intervals: Interval[];
  /** Number of the interval of each value. */
  readonly intervalOf: readonly number[];
}

/**
 * When each value is needed. Every step has two ticks: the image is quantized in the first tick of the stem, and multiplied in the
 * second. A residual sum, and a group norm's float32 result, are written over what they are made of, unless that is needed later.
 */
function lifetimes(network: Int8Network, imageBytes: number, borders: readonly (Border | null)[]): Lifetimes {
  const { height, width, channels } = network.input;
  const intervals: Interval[] = [
    { bytes: align(4 * height * width * channels), from: 0, to: 0 },
    { bytes: align(imageBytes), from: 0, to: 1 },
  ];
  const intervalOf = new Array<number>(network.values.length).fill(IMAGE);
  const lastUse = new Array<number>(network.values.length).fill(-1);
  for (const [index, step] of network.steps.entries()) {
    for (const id of readBy(step)) lastUse[id] = 2 * index + 1;
  }
  for (const [index, step] of network.steps.entries()) {
    // The stem's first tick only quantizes the image.
    const from = 2 * index + (step.kind === 'stem' ? 1 : 0);
    for (const id of writtenBy(step)) {
      const to = Math.max(lastUse[id]!, 2 * index + 1);
      const over = overwritten(step, id).find((source) => lastUse[source] === 2 * index + 1);
      if (over !== undefined) {
        const number = intervalOf[over]!;
        intervals[number] = { ...intervals[number]!, to };
        intervalOf[id] = number;
        continue;
      }
      intervalOf[id] = intervals.length;
      intervals.push({ bytes: align(valueBytes(network.values[id]!, borders[id] ?? NO_BORDER)), from, to });
    }
  }
  return { intervals, intervalOf };
}

/** Values that a step may write this one over: it reads each number of theirs before it writes there. */
function overwritten(step: Step, id: ValueId): ValueId[] {
  if (step.kind === 'convolution') return step.residual === null ? [] : [step.residual];
  if (step.kind !== 'norm' || id !== step.float) return [];
  return step.residual === null || step.residual === step.input ? [step.input] : [step.input, step.residual];
}

function valueBytes({ height, width, channels, quantization }: NetworkValue, border: Border): number {
  if (quantization === null) return rowsBytes(height * width, channels);
  return mapBytes(height, width, rowStride(channels), border);
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** Memory that is given out from its beginning. */
class Region {
  end: number;

  constructor(start: number) {
    this.end = align(start);
  }

  /** The address of so many bytes more. */
  take(bytes: number): number {
    const address = this.end;
    this.end += align(bytes);
    return address;
  }
}
