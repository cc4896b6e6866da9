/** A memory for one kernel call: regions one behind the other, with guards in between that must stay as they are. */
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { instantiateKernels, type Kernels } from '../../../../worker/inference/engine/kernels.ts';
import { KERNEL_DATA_BYTES } from '../../../../worker/inference/engine/layout.ts';

const GUARD = 0xa5;
const GUARD_BYTES = 64;
const KERNEL_FILE = new URL('../../../../worker/inference/engine/kernels/engine.wasm', import.meta.url);
const module = new WebAssembly.Module(await readFile(KERNEL_FILE));

export class KernelMemory {
  readonly memory = new WebAssembly.Memory({ initial: 64 });
  readonly kernels: Kernels = instantiateKernels(module, this.memory);
  #end = KERNEL_DATA_BYTES;
  readonly #guards: number[] = [];

  constructor() {
    new Uint8Array(this.memory.buffer, KERNEL_DATA_BYTES).fill(GUARD);
    this.#guard();
  }

  /** A region of `bytes`, filled with garbage: its address. */
  region(bytes: number): number {
    const address = this.#end;
    this.#end += (bytes + 15) & ~15;
    this.#guard(address + bytes);
    this.bytes(address, bytes).fill(0xc3);
    return address;
  }

  /** A region that holds the data. */
  place(data: Uint8Array | Float32Array): number {
    const address = this.region(data.byteLength);
    this.bytes(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return address;
  }

  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  /** What is between the regions is as it was: nothing was written outside. */
  checkGuards(): void {
    for (const guard of this.#guards) {
      const until = guard + GUARD_BYTES;
      const wrong = this.bytes(guard, until - guard).findIndex((byte) => byte !== GUARD);
      expect(wrong, `byte ${guard + wrong} was written, outside every region`).toBe(-1);
    }
  }

  #guard(from = this.#end): void {
    this.#guards.push(from);
    this.#end = (from + GUARD_BYTES + 15) & ~15;
    if (this.#end > this.memory.buffer.byteLength) throw new RangeError('the memory is too small for this test');
  }
}

/** Pseudo-random bytes; extremes are frequent, so that sums would saturate if they could. */
export function randomBytes(length: number, seed: number): Uint8Array {
  let state = (seed * 2654435761) >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % 5 === 0 ? 255 : state >>> 24;
  });
}

/** Pseudo-random numbers from `low` to `high`. */
export function randomFloats(length: number, seed: number, low = -1, high = 1): Float32Array {
  let state = (seed * 2654435761) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * state) / 2 ** 32;
  });
}

/** Rows [positions, channels] as the engine lays them out: each padded to a multiple of 8. */
export function padRows<T extends Float32Array | Uint8Array>(rows: T, channels: number, fill = 0): T {
  const stride = (channels + 7) & ~7;
  const padded = rows.slice(0, 0);
  const data = new (padded.constructor as new (length: number) => T)((rows.length / channels) * stride).fill(fill) as T;
  for (let i = 0; i < rows.length; i++) data[Math.floor(i / channels) * stride + (i % channels)] = rows[i]!;
  return data;
}

/** The opposite of `padRows`. */
export function unpadRows(rows: Float32Array, channels: number): Float32Array {
  const stride = (channels + 7) & ~7;
  return rows.filter((_, i) => i % stride < channels);
}
