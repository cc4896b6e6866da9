/**
 * Kernels of linear algebra in float64, in AssemblyScript; `npm run kernel` compiles them. Addresses are bytes of the one imported
 * memory. Nothing is allocated and nothing is kept from call to call. Sums are taken in an order that depends on sizes alone, so
 * that the same numbers give the same bytes everywhere.
 */
export { multiplyRows } from './product';
export { reflectRows, reflectRowsBack } from './reflections';
export { tridiagonalize } from './tridiagonal';
