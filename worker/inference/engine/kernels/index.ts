/**
 * Kernels of the engine for BiT's int8 form, in AssemblyScript; `npm run kernel` compiles them. Addresses are bytes of the one
 * imported memory. Nothing is allocated and nothing is kept from call to call: a kernel reads and writes what its arguments describe.
 *
 * f32 rows are [positions, columns], columns a multiple of 8: channels beyond the layer's own are padding. A u8 map is such rows with
 * a border around it, filled with the zero point.
 */
export { convolve } from './convolution';
export { fillBorder, normalizeRows, normFactors, quantizeValues } from './norm';
export { averageRows } from './statistics';
export { quantizeImage, stem } from './stem';
export { packWeights } from './weights';
export { convolveWinograd } from './winograd';
export { convolveWinograd4, largestWeightSum } from './winograd4';
