/** A network in the engine, as a session: pixel values in, the graph's outputs out. No workerd and no Node in it. */
import { ModelError, RuntimeError } from '../../errors.ts';
import type { InferenceSession, Tensor, ValueInfo } from '../inference-session.ts';
import { Executor } from './executor.ts';
import { rowStride } from './layout.ts';
import type { EnginePlan } from './memory-plan.ts';
import { type Int8Network, type NetworkOutput, readBy, type ValueId, writtenBy } from './network.ts';
import { WeightsWriter } from './weights-writer.ts';

/** A network and its memory. */
interface Engine {
  readonly executor: Executor;
  readonly network: Int8Network;
  readonly plan: EnginePlan;
}

/** A network that waits for its weights file. */
export interface UnfinishedSession {
  readonly weights: WeightsWriter;
  /** The session. @throws ModelError `model_corrupt` where the weights are not those of the graph. */
  finish(): EngineSession;
}

/**
 * Takes the memory of a network, all of it, and begins to fill it.
 * @param kernels the compiled kernels/engine.wasm.
 * @throws ModelError `model_corrupt`; RuntimeError `inference_failed` where there is no memory.
 */
export function startEngineSession(
  kernels: WebAssembly.Module,
  network: Int8Network,
  plan: EnginePlan,
): UnfinishedSession {
  let executor: Executor;
  try {
    executor = new Executor(kernels, network, plan);
  } catch (cause) {
    throw new RuntimeError('inference_failed', `the engine could not take ${plan.bytes} bytes`, {
      cause,
      retryAfterSeconds: 1,
    });
  }
  const weights = new WeightsWriter(executor, network, plan);
  return {
    weights,
    finish() {
      weights.finish();
      return new EngineSession({ executor, network, plan });
    },
  };
}

/** A loaded network. It has a memory of its own, which goes with it. */
export class EngineSession implements InferenceSession {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  #engine: Engine | null;
  #released = false;
  #abortReason: string | null = null;

  constructor(engine: Engine) {
    const { input, outputs } = engine.network;
    this.#engine = engine;
    this.inputs = [{ name: input.name, shape: ['batch', input.channels, input.height, input.width] }];
    this.outputs = outputs.map(({ name, shape }) => ({ name, shape: ['batch', ...shape] }));
  }

  get released(): boolean {
    return this.#released;
  }

  get abortReason(): string | null {
    return this.#abortReason;
  }

  run(feeds: ReadonlyMap<string, Tensor>, fetches: readonly string[]): Map<string, Tensor> {
    const engine = this.#engine;
    if (engine === null) {
      const reason = this.#abortReason === null ? 'the session is released' : 'the engine aborted';
      throw new RuntimeError('inference_failed', reason, { retryAfterSeconds: 1 });
    }
    const { network } = engine;
    const feed = feeds.get(network.input.name);
    if (feed === undefined) throw new ModelError('model_failed', `input "${network.input.name}" is missing`);
    const batch = checkInput(feed, network);
    const wanted = fetches.map((name) => {
      const output = network.outputs.find((each) => each.name === name);
      if (output === undefined) throw new ModelError('model_failed', `the graph has no output "${name}"`);
      const data = new Float32Array(batch * elementsOf(output));
      return { output, data };
    });
    const isNeeded = neededSteps(
      network,
      wanted.map(({ output }) => output.value),
    );
    const pixels = feed.data.length / batch;
    for (let image = 0; image < batch; image++) {
      this.#runImage(engine, feed.data.subarray(image * pixels, (image + 1) * pixels), isNeeded, (value) => {
        for (const { output, data } of wanted) {
          const size = elementsOf(output);
          if (output.value === value) copyOutput(engine, output, data.subarray(image * size, (image + 1) * size));
        }
      });
    }
    return new Map(
      wanted.map(({ output, data }) => [output.name, { type: 'float32', shape: [batch, ...output.shape], data }]),
    );
  }

  release(): void {
    this.#released = true;
    this.#engine = null;
  }

  /** @param onValue told of each value while it is there: a later step may take its memory. */
  #runImage(
    { executor, network, plan }: Engine,
    pixelValues: Tensor['data'],
    isNeeded: readonly boolean[],
    onValue: (value: ValueId) => void,
  ): void {
    new Float32Array(executor.memory.buffer, plan.pixels, pixelValues.length).set(pixelValues);
    for (const [index, step] of network.steps.entries()) {
      if (!isNeeded[index]) continue;
      try {
        executor.run(index);
      } catch (cause) {
        // Whatever it was, the memory is in no known state.
        this.#abortReason = messageOf(cause);
        this.#engine = null;
        throw new RuntimeError('inference_failed', `the engine aborted in "${step.name}"`, {
          cause,
          retryAfterSeconds: 1,
        });
      }
      for (const value of writtenBy(step)) onValue(value);
    }
  }
}

/** How many images there are. @throws ModelError `model_failed` if it is no batch of the network's input. */
function checkInput({ type, shape, data }: Tensor, { input }: Int8Network): number {
  const [batch = 0, channels, height, width] = shape;
  const isInput =
    type === 'float32' &&
    shape.length === 4 &&
    batch >= 1 &&
    channels === input.channels &&
    height === input.height &&
    width === input.width &&
    data.length === batch * channels * height * width;
  if (isInput) return batch;
  throw new ModelError(
    'model_failed',
    `input "${input.name}" is ${type} [${shape}] of ${data.length} values, not float32 [batch,${input.channels},${input.height},${input.width}]`,
  );
}

function elementsOf({ shape }: NetworkOutput): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Which steps the values need, going back from them. */
function neededSteps({ steps }: Int8Network, values: readonly ValueId[]): boolean[] {
  const needed = new Set(values);
  const isNeeded = new Array<boolean>(steps.length).fill(false);
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index]!;
    if (!writtenBy(step).some((value) => needed.has(value))) continue;
    isNeeded[index] = true;
    for (const value of readBy(step)) needed.add(value);
  }
  return isNeeded;
}

/** Copies a value out of the engine's memory, in the layout and the order of channels that the graph gives it. */
function copyOutput({ executor, network, plan }: Engine, output: NetworkOutput, target: Float32Array): void {
  const { height, width, channels } = network.values[output.value]!;
  const positions = height * width;
  const stride = rowStride(channels);
  const rows = new Float32Array(executor.memory.buffer, plan.values[output.value]!.address, positions * stride);
  if (output.layout === 'rows') {
    for (let position = 0; position < positions; position++) {
      target.set(rows.subarray(position * stride, position * stride + channels), position * channels);
    }
    return;
  }
  const { groups } = network;
  const perGroup = channels / groups;
  for (let channel = 0; channel < channels; channel++) {
    const plane =
      output.order === 'checkpoint' ? (channel % groups) * perGroup + Math.floor(channel / groups) : channel;
    let at = plane * positions;
    for (let row = channel; row < rows.length; row += stride) target[at++] = rows[row]!;
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
