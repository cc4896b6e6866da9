/** From drafts to the network: what the outputs need, in the order that needs least memory, numbered. */
import type { OnnxValue } from '../../../../model-store/onnx/onnx-model.ts';
import type { Int8Network, NetworkOutput, NetworkTensor, NetworkValue, Step, TensorId, ValueId } from '../network.ts';
import { type Layout, type MapDraft, positionsOf, type StepDraft } from './drafts.ts';
import type { GraphReader } from './graph-reader.ts';
import type { Meanings } from './meanings.ts';
import { contradiction, NotRecognized } from './reasons.ts';
import type { ImageInput } from './stem.ts';
import { macsOf } from './windows.ts';

/** Statistics are added up four groups at a time, in the order in which onnxruntime adds them up. */
const GROUPS_MULTIPLE = 4;

/**
 * The network behind the graph's outputs; what no output needs is left out.
 * @throws NotRecognized; ModelError `model_corrupt` where an output is declared with another shape.
 */
export function finishNetwork(
  reader: GraphReader,
  meanings: Meanings,
  input: ImageInput,
  weightsFile: string | null,
): Int8Network {
  const groups = meanings.groups;
  if (groups === null) throw new NotRecognized('pattern', 'there is no group norm');
  if (groups % GROUPS_MULTIPLE !== 0) throw new NotRecognized('groups', `group norms have ${groups} groups`);
  const outputs = reader.graph.outputs.map((output) => ({ output, ...meanings.viewOf(output.name) }));
  const steps = schedule(outputs.map(({ map }) => map.producer));
  const numbering = new Numbering(reader.tensors);
  const numbered = steps.map((step) => numbering.step(step));
  return {
    input: { name: input.name, channels: input.channels, height: input.height, width: input.width },
    groups,
    values: numbering.values,
    tensors: numbering.tensors,
    steps: numbered,
    outputs: outputs.map(({ output, map, layout }) => toOutput(output, map, layout, numbering.value(map))),
    weightsFile,
    macs: steps.reduce((sum, step) => sum + countMacs(step, input), 0),
  };
}

/**
 * Each step behind those that it needs, and as late as can be: of a sum, the operand that comes first is the one that the other is
 * added to, in place. Without recursion, for a file may be as deep as it likes.
 */
function schedule(wanted: readonly StepDraft[]): StepDraft[] {
  const done = new Set<StepDraft>();
  const stack = [...wanted].reverse();
  const entered = new Set<StepDraft>();
  while (stack.length > 0) {
    const step = stack.at(-1)!;
    if (entered.has(step)) {
      stack.pop();
      done.add(step);
      continue;
    }
    entered.add(step);
    const needed = inputsOf(step).map(({ producer }) => producer);
    stack.push(...needed.reverse().filter((producer) => !entered.has(producer)));
  }
  return [...done];
}

function inputsOf(step: StepDraft): MapDraft[] {
  switch (step.kind) {
    case 'stem':
      return [];
    case 'norm':
    case 'convolution':
      return step.residual === null ? [step.input] : [step.input, step.residual];
    case 'average':
    case 'classifier':
      return [step.input];
  }
}

/** Gives maps and constants their numbers, in the order of the steps. */
class Numbering {
  readonly values: NetworkValue[] = [];
  readonly tensors: NetworkTensor[];
  readonly #drafted: readonly NetworkTensor[];
  readonly #values = new Map<MapDraft, ValueId>();
  readonly #tensors = new Map<TensorId, TensorId>();

  constructor(drafted: readonly NetworkTensor[]) {
    this.#drafted = drafted;
    // Constants that only have to be checked belong to no step.
    this.tensors = drafted.filter(({ contents }) => contents?.kind === 'same');
  }

  value(map: MapDraft): ValueId {
    const id = this.#values.get(map);
    if (id !== undefined) return id;
    const { name, height, width, channels, quantization } = map;
    this.values.push({ name, height, width, channels, quantization });
    this.#values.set(map, this.values.length - 1);
    return this.values.length - 1;
  }

  #tensor(drafted: TensorId): TensorId {
    const id = this.#tensors.get(drafted);
    if (id !== undefined) return id;
    this.tensors.push(this.#drafted[drafted]!);
    this.#tensors.set(drafted, this.tensors.length - 1);
    return this.tensors.length - 1;
  }

  #optional(map: MapDraft | null): ValueId | null {
    return map === null ? null : this.value(map);
  }

  step(step: StepDraft): Step {
    switch (step.kind) {
      case 'stem':
        return {
          ...step,
          weight: this.#tensor(step.weight),
          scales: this.#tensor(step.scales),
          output: this.value(step.output!),
        };
      case 'norm':
        return {
          ...step,
          input: this.value(step.input),
          gamma: this.#tensor(step.gamma),
          beta: this.#tensor(step.beta),
          residual: this.#optional(step.residual),
          activation: step.activation ?? 'relu',
          float: this.#optional(step.float),
          quantized: this.#optional(step.quantized),
        };
      case 'convolution':
        return {
          ...step,
          input: this.value(step.input),
          weight: this.#tensor(step.weight),
          scales: this.#tensor(step.scales),
          residual: this.#optional(step.residual),
          output: this.value(step.output!),
        };
      case 'average':
        return { ...step, input: this.value(step.input), output: this.value(step.output!) };
      case 'classifier':
        return {
          ...step,
          input: this.value(step.input),
          weight: this.#tensor(step.weight),
          scales: this.#tensor(step.scales),
          bias: step.bias === null ? null : this.#tensor(step.bias),
          output: this.value(step.output!),
        };
    }
  }
}

function toOutput({ name, dtype, shape }: OnnxValue, map: MapDraft, layout: Layout, value: ValueId): NetworkOutput {
  const { channels, height, width } = map;
  const [batch, ...declared] = shape;
  const output = ((): Omit<NetworkOutput, 'name' | 'value'> => {
    switch (layout) {
      case 'planes':
        return { shape: [channels, height, width], order: 'graph', layout: 'planes' };
      case 'checkpoint':
        return { shape: [channels, height, width], order: 'checkpoint', layout: 'planes' };
      case 'rows':
        return { shape: [positionsOf(map), channels], order: 'graph', layout: 'rows' };
      case 'vector':
        return { shape: [channels], order: 'graph', layout: 'rows' };
      default:
        throw new NotRecognized('pattern', `output "${name}" as ${layout}`);
    }
  })();
  const fits =
    dtype === 'float32' &&
    typeof batch === 'string' &&
    declared.length === output.shape.length &&
    declared.every((size, axis) => typeof size === 'string' || size === output.shape[axis]);
  if (!fits)
    throw contradiction(`output "${name}" is declared ${dtype} [${shape}], and is float32 [batch,${output.shape}]`);
  return { name, value, ...output };
}

function countMacs(step: StepDraft, image: ImageInput): number {
  switch (step.kind) {
    case 'stem':
      return step.window.kernel ** 2 * image.channels * step.output!.channels * step.height * step.width;
    case 'convolution':
      return macsOf(step);
    case 'classifier':
      return step.input.channels * step.output!.channels;
    case 'norm':
    case 'average':
      return 0;
  }
}
