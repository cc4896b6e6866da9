import { describe, expect, it } from 'vitest';
import { OrtRuntime } from '../../worker/inference/runtime.ts';
import { wasmModules } from '../../worker/inference/wasm-modules.ts';

const MIB = 1024 * 1024;

describe('OrtRuntime in workerd', () => {
  it('starts from the compiled module, with a heap of 16 MiB', async () => {
    const runtime = await OrtRuntime.start(wasmModules);
    expect(runtime.heapBytes).toBe(16 * MIB);
    expect(runtime.abortReason).toBeNull();
  });

  it('computes 8-bit products with our kernel', async () => {
    expect((await OrtRuntime.start(wasmModules)).hasOwnGemm).toBe(true);
  });

  it('refuses bytes that are no graph with its own error, and lives on', async () => {
    const runtime = await OrtRuntime.start(wasmModules);
    expect(() => runtime.createSession(new Uint8Array(16))).toThrow(
      expect.objectContaining({
        code: 'model_failed',
        message: expect.stringMatching(/^onnxruntime could not create a session \(error \d+\)$/),
        cause: expect.objectContaining({ message: expect.stringContaining('protobuf') }),
      }),
    );
    expect(runtime.abortReason).toBeNull();
  });

  it('is dead after a trap, while another instance works', async () => {
    const dead = await OrtRuntime.start(wasmModules);
    expect(() =>
      dead.guard(() => {
        throw new WebAssembly.RuntimeError('unreachable');
      }),
    ).toThrow(/aborted/);
    expect(dead.abortReason).toBe('unreachable');
    const alive = await OrtRuntime.start(wasmModules);
    expect(alive.abortReason).toBeNull();
  });
});
