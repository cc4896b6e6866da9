/** The linear layer of scikit-learn or torch, as safetensors, as a head. */
import { type SafetensorsTensor, tensorToFloat32 } from '../../../model-store/safetensors.ts';
import { ModelError } from '../../../worker/errors.ts';
import type { FeatureKind } from '../../../worker/heads/math/features.ts';
import type { HeadModel } from '../../../worker/heads/math/head-model.ts';

type Tensors = ReadonlyMap<string, SafetensorsTensor>;

/**
 * Makes a head of a layer: `weight` and `bias` (torch), or `coef_` and `intercept_` (scikit-learn, which keeps one row for two
 * classes); with features `standardize`, `mean_` and `scale_` of its `StandardScaler`, too.
 * @param classes in the order of the layer's rows.
 * @throws ModelError `invalid_checkpoint` where a tensor is missing, or shapes do not go together.
 */
export function headOfLinearLayer(
  tensors: Tensors,
  file: string,
  classes: readonly string[],
  features: FeatureKind,
  multiLabel: boolean,
): HeadModel {
  if (new Set(classes).size !== classes.length || classes.some((label) => label.trim() === '')) {
    throw wrong(`--classes has an empty name, or one twice: ${classes.join(',')}`);
  }
  const weight = find(tensors, file, ['weight', 'coef_']);
  const bias = find(tensors, file, ['bias', 'intercept_']);
  const [rows, dimensions] = weight.shape.length === 1 ? [1, weight.shape[0]!] : [weight.shape[0]!, weight.shape[1]!];
  const isBinary = classes.length === 2 && rows === 1 && !multiLabel;
  if (weight.shape.length > 2 || bias.data.length !== rows || (rows !== classes.length && !isBinary)) {
    throw wrong(`${file}: weight [${weight.shape}] and bias [${bias.shape}] for ${classes.length} classes`);
  }
  const moments = (names: readonly string[]): Float32Array | null => {
    if (features !== 'standardize') return null;
    const { data } = find(tensors, file, names);
    if (data.length === dimensions) return data;
    throw wrong(`${file}: ${names.join(' or ')} has ${data.length} values; the layer takes ${dimensions}`);
  };
  return {
    classes,
    dimensions,
    multiLabel,
    features: {
      kind: features,
      mean: moments(['mean_', 'feature_mean']),
      deviation: moments(['scale_', 'feature_deviation']),
    },
    // One row says how much more the second class is like than the first.
    weight: isBinary ? Float32Array.from([...new Float32Array(dimensions), ...weight.data]) : weight.data,
    bias: isBinary ? Float32Array.of(0, bias.data[0]!) : bias.data,
    unknown: null,
  };
}

function find(tensors: Tensors, file: string, names: readonly string[]) {
  const tensor = names.map((name) => tensors.get(name)).find((each) => each !== undefined);
  if (tensor === undefined) throw wrong(`${file} has no tensor ${names.join(' or ')}`);
  const data = tensorToFloat32(tensor);
  if (data.every(Number.isFinite)) return { data, shape: tensor.shape };
  throw wrong(`${file}: ${names.join(' or ')} has a value that is not finite`);
}

function wrong(message: string): ModelError {
  return new ModelError('invalid_checkpoint', message);
}
