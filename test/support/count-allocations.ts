/** Counts what code allocates as typed arrays, exactly: a garbage collection hides nothing. */

const NAMES = [
  'Uint8Array',
  'Uint8ClampedArray',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
] as const;

/**
 * Runs `code` and adds up the bytes of the typed arrays that it makes, views of other arrays not counted.
 *
 * @returns bytes allocated in all, whether or not they are in use at the same time, and what `code` threw, if it did
 */
export async function countAllocations(code: () => unknown): Promise<{ bytes: number; error: unknown }> {
  let bytes = 0;
  const originals = NAMES.map((name) => [name, globalThis[name]] as const);
  for (const [name, original] of originals) {
    const counting = new Proxy<object>(original, {
      construct(target, args: unknown[], newTarget) {
        const made: { byteLength: number } = Reflect.construct(target as never, args, newTarget);
        if (!(args[0] instanceof ArrayBuffer)) bytes += made.byteLength;
        return made;
      },
    });
    Object.defineProperty(globalThis, name, { value: counting, configurable: true, writable: true });
  }
  let error: unknown;
  try {
    await code();
  } catch (thrown) {
    error = thrown;
  } finally {
    for (const [name, original] of originals) {
      Object.defineProperty(globalThis, name, { value: original, configurable: true, writable: true });
    }
  }
  return { bytes, error };
}
