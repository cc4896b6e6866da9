/** Brings a weights file into an engine's memory as it streams by: each constant to the staging area, checked, then to its place. */
import { ModelError } from '../../errors.ts';
import type { Executor } from './executor.ts';
import type { EnginePlan } from './memory-plan.ts';
import type { Int8Network, NetworkTensor, TensorId } from './network.ts';
import { checkContents } from './tensor-contents.ts';

/** A constant in the file. */
interface Part {
  readonly id: TensorId;
  readonly tensor: NetworkTensor;
  readonly begin: number;
  readonly end: number;
}

/** Takes the bytes of one weights file, from its beginning. */
export class WeightsWriter {
  readonly #executor: Pick<Executor, 'load' | 'memory'>;
  readonly #staging: number;
  readonly #parts: readonly Part[];
  #next = 0;
  #position = 0;
  #error: unknown = null;

  /**
   * Loads the constants that are in the graph itself, and waits for the others.
   * @throws ModelError `model_corrupt` where two constants of the file overlap.
   */
  constructor(executor: Pick<Executor, 'load' | 'memory'>, network: Int8Network, plan: EnginePlan) {
    this.#executor = executor;
    this.#staging = plan.staging.address;
    const parts: Part[] = [];
    for (const [id, tensor] of network.tensors.entries()) {
      const { source } = tensor;
      if (source.kind === 'file') {
        parts.push({ id, tensor, begin: source.offset, end: source.offset + source.bytes });
      } else if (plan.tensors[id] !== null) {
        this.#memory(source.bytes).set(source.data);
        executor.load(id);
      }
    }
    parts.sort((a, b) => a.begin - b.begin);
    for (const [index, part] of parts.entries()) {
      const before = parts[index - 1];
      if (before !== undefined && before.end > part.begin) {
        throw new ModelError('model_corrupt', `constants "${before.tensor.name}" and "${part.tensor.name}" overlap`);
      }
    }
    this.#parts = parts;
  }

  /** Begins again: what was written so far was not the file. */
  restart(): void {
    this.#next = 0;
    this.#position = 0;
    this.#error = null;
  }

  /** Takes the next bytes of the file; they may be overwritten afterwards. */
  write(bytes: Uint8Array): void {
    const start = this.#position;
    const end = start + bytes.byteLength;
    this.#position = end;
    for (let part = this.#parts[this.#next]; part !== undefined; part = this.#parts[this.#next]) {
      const from = Math.max(part.begin, start);
      const to = Math.min(part.end, end);
      if (from < to)
        this.#memory(part.end - part.begin).set(bytes.subarray(from - start, to - start), from - part.begin);
      if (part.end > end) return;
      this.#next++;
      this.#load(part);
    }
  }

  /**
   * Says that the file is at its end, and is the right one.
   * @throws ModelError `model_corrupt` where a constant does not hold what the graph says of it, or the file is too short for it.
   */
  finish(): void {
    if (this.#error !== null) throw this.#error;
    const missing = this.#parts[this.#next];
    if (missing === undefined) return;
    throw new ModelError(
      'model_corrupt',
      `constant "${missing.tensor.name}" ends at byte ${missing.end} of ${this.#position}`,
    );
  }

  /** What is wrong with a constant is only said once the file's hash is known: it may be the file that is wrong. */
  #load({ id, tensor, begin, end }: Part): void {
    try {
      checkContents(tensor, this.#memory(end - begin));
      this.#executor.load(id);
    } catch (error) {
      this.#error ??= error;
    }
  }

  #memory(bytes: number): Uint8Array {
    return new Uint8Array(this.#executor.memory.buffer, this.#staging, bytes);
  }
}
