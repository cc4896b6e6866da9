/** The report of an import: what the version is, what it costs, and what quantizing it lost. Pure, no I/O. */
import type { Origin } from '../../../model-store/build/checkpoint/provenance.ts';
import type { Manifest, VariantName } from '../../../model-store/manifest.ts';
import type { Evaluation } from '../import/evaluate.ts';
import type { Resolution } from '../import/resolutions.ts';
import type { Measurement } from '../onnx/measure-variant.ts';

/** One variant's figures. */
export interface VariantReport {
  /** Of graph and weights. */
  readonly bytes: number;
  readonly outputs: readonly string[];
  readonly input: string;
  /** As a worker runs it, on the importing machine, one image, one thread; null where it was not measured. */
  readonly measured: Measurement | null;
}

/** One layer of the int8 variant; errors are root mean squares relative to what they are errors of. */
export interface QuantizedLayer {
  readonly name: string;
  /** `float32` where quantizing it would have cost too much. */
  readonly precision: 'int8' | 'float32';
  /** Of the weights, weighted by what they are multiplied with. */
  readonly weight_error: number;
  readonly input_error: number;
}

/** What int8 did to the layers. */
export interface QuantizationReport {
  /** 0 where the ranges of activations were estimated without images. */
  readonly calibration_images: number;
  readonly layers: readonly QuantizedLayer[];
  /** Layers that stayed in float32. */
  readonly float_layers: readonly string[];
  /** The int8 layer with the largest error, of weights and input together. */
  readonly largest: { readonly name: string; readonly error: number } | null;
}

/** report.json. */
export interface Report {
  readonly schema_version: 1;
  readonly name: string;
  readonly version: string;
  readonly created_at: string;
  readonly source: Manifest['source'];
  readonly architecture: {
    readonly config: Manifest['config'];
    readonly num_labels: number;
    readonly parameters: number;
    /** Multiply-accumulates of one image of `image_size`. */
    readonly macs: number;
    readonly image_size: { readonly height: number; readonly width: number };
    readonly preprocessor_source: string;
  };
  /** Where every field of the network and the processor came from. */
  readonly origins: readonly Origin[];
  /** What was taken off to get at the weights. */
  readonly notes: readonly string[];
  readonly variants: Readonly<Partial<Record<VariantName, VariantReport>>>;
  readonly quantization: QuantizationReport | null;
  /** The int8 variant at the usual resolutions and its own; empty where there is none. */
  readonly resolutions: readonly Resolution[];
  readonly evaluation: (Evaluation & { readonly folder: string }) | null;
  readonly warnings: readonly string[];
}

/** What a report is made of. */
export interface ReportParts {
  readonly manifest: Manifest;
  readonly imageSize: { readonly height: number; readonly width: number };
  readonly preprocessorSource: string;
  readonly origins: readonly Origin[];
  readonly notes: readonly string[];
  readonly measurements: Readonly<Partial<Record<VariantName, Measurement>>>;
  readonly calibrationImages: number;
  /** Of the int8 variant; empty where there is none. */
  readonly layers: readonly QuantizedLayer[];
  readonly resolutions: Report['resolutions'];
  readonly evaluation: Report['evaluation'];
  readonly warnings: readonly string[];
}

/** Puts a report together. */
export function createReport(parts: ReportParts): Report {
  const { manifest } = parts;
  const variants: Partial<Record<VariantName, VariantReport>> = {};
  for (const name of ['fp32', 'int8', 'gpu'] as const) {
    const variant = manifest.variants[name];
    if (variant === undefined) continue;
    const input = variant.inputs[0]!;
    variants[name] = {
      bytes: variant.model.bytes + (variant.weights?.bytes ?? 0),
      outputs: variant.outputs.map((output) => output.name),
      input: `${input.name} ${input.dtype} [${input.shape.join(', ')}]`,
      measured: parts.measurements[name] ?? null,
    };
  }
  const { parameters, macs } = manifest.variants[manifest.default_variant]!;
  return {
    schema_version: 1,
    name: manifest.name,
    version: manifest.version,
    created_at: manifest.created_at,
    source: manifest.source,
    architecture: {
      config: manifest.config,
      num_labels: manifest.num_labels,
      parameters,
      macs,
      image_size: parts.imageSize,
      preprocessor_source: parts.preprocessorSource,
    },
    origins: parts.origins,
    notes: parts.notes,
    variants,
    quantization: parts.layers.length === 0 ? null : summarizeLayers(parts.layers, parts.calibrationImages),
    resolutions: parts.resolutions,
    evaluation: parts.evaluation,
    warnings: parts.warnings,
  };
}

function summarizeLayers(layers: readonly QuantizedLayer[], calibrationImages: number): QuantizationReport {
  let largest: QuantizationReport['largest'] = null;
  for (const layer of layers) {
    const error = Math.hypot(layer.weight_error, layer.input_error);
    if (layer.precision === 'int8' && error > (largest?.error ?? -1)) largest = { name: layer.name, error };
  }
  const floatLayers = layers.filter(({ precision }) => precision === 'float32').map(({ name }) => name);
  return { calibration_images: calibrationImages, layers, float_layers: floatLayers, largest };
}
