/** The engine's kernels (kernels/index.ts) on a memory: what they are called with, and how they are instantiated. */

type Kernel = (...args: number[]) => number | undefined;

/** kernels/*.ts documents what each does, and its arguments in their order. */
type KernelName =
  | 'averageRows'
  | 'convolve'
  | 'convolveWinograd'
  | 'convolveWinograd4'
  | 'fillBorder'
  | 'largestWeightSum'
  | 'normFactors'
  | 'normalizeRows'
  | 'packWeights'
  | 'quantizeImage'
  | 'quantizeValues'
  | 'stem';

/** The kernels: addresses are bytes of the memory that they were instantiated on. */
export type Kernels = Readonly<Record<KernelName, Kernel>>;

/** Instantiates the kernels on a memory, whose first `KERNEL_DATA_BYTES` they initialize. */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const kernel = (name: string): Kernel => {
    const value = exports[name];
    if (typeof value !== 'function') throw new TypeError(`the engine's module has no kernel "${name}"`);
    return value as Kernel;
  };
  return {
    averageRows: kernel('averageRows'),
    convolve: kernel('convolve'),
    convolveWinograd: kernel('convolveWinograd'),
    convolveWinograd4: kernel('convolveWinograd4'),
    fillBorder: kernel('fillBorder'),
    largestWeightSum: kernel('largestWeightSum'),
    normFactors: kernel('normFactors'),
    normalizeRows: kernel('normalizeRows'),
    packWeights: kernel('packWeights'),
    quantizeImage: kernel('quantizeImage'),
    quantizeValues: kernel('quantizeValues'),
    stem: kernel('stem'),
  };
}
