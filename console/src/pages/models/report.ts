/** The figures of an import report that the console draws; members that are not there, or not as expected, are left out. Pure. */
import type { Report } from '../../../../client/index.ts';

/** One layer of the int8 variant. */
export interface LayerError {
  readonly name: string;
  /** Weights and input together, relative to what they are errors of. */
  readonly error: number;
  /** True where it stayed in float32. */
  readonly isFloat: boolean;
}

/** int8 against fp32 on the images of the import. */
export interface ReportEvaluation {
  readonly images: number;
  /** Share of images with the same best label. */
  readonly agreement: number;
  /** Mean error over mean size of a logit. */
  readonly logitError: number;
}

/** The layers, in the order of the network. */
export function layersOf(report: Report): readonly LayerError[] {
  const layers = member(member(report, 'quantization'), 'layers');
  if (!Array.isArray(layers)) return [];
  return layers.flatMap((layer: unknown) => {
    const [name, weight, input] = [member(layer, 'name'), member(layer, 'weight_error'), member(layer, 'input_error')];
    if (typeof name !== 'string' || typeof weight !== 'number' || typeof input !== 'number') return [];
    return [{ name, error: Math.hypot(weight, input), isFloat: member(layer, 'precision') === 'float32' }];
  });
}

/** The evaluation; null where the import had no images to evaluate with. */
export function evaluationOf(report: Report): ReportEvaluation | null {
  const evaluation = member(report, 'evaluation');
  const int8 = member(evaluation, 'int8_vs_fp32');
  const [images, agreement, logitError] = [
    member(evaluation, 'images'),
    member(int8, 'agreement'),
    member(int8, 'mean_logit_error'),
  ];
  if (typeof images !== 'number' || typeof agreement !== 'number' || typeof logitError !== 'number') return null;
  return { images, agreement, logitError };
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
