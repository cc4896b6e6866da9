/** The linear algebra of heads in Node. */
import { readFile } from 'node:fs/promises';
import { LinearAlgebra } from '../../../worker/heads/math/linear-algebra.ts';

const KERNELS = new URL('../../../worker/heads/kernels/heads.wasm', import.meta.url);

/** Compiles the kernels that the worker has. */
export async function compileHeadAlgebra(): Promise<LinearAlgebra> {
  return new LinearAlgebra(await WebAssembly.compile(await readFile(KERNELS)));
}
