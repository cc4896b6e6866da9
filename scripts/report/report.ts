/** The report of an import: what the version is, what it costs, and what quantizing it lost. Pure, no I/O. */
import { bitConfigToJson } from '../../model-store/bit-config.ts';
import type { Manifest, VariantName } from '../../model-store/manifest.ts';
import type { BuiltVariants } from '../import/build-variants.ts';
import type { Evaluation } from '../import/evaluate.ts';
import type { PreparedImport } from '../import/prepare.ts';
import type { Measurement } from '../onnx/measure-variant.ts';

/** One variant's figures. */
export interface VariantReport {
  /** Of graph and weights. */
  readonly bytes: number;
  readonly outputs: readonly string[];
  readonly input: string;
  /** In onnxruntime-web on the importing machine, one image, one thread; null where it was not measured. */
  readonly measured: Measurement | null;
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
    readonly parameters: number;
    /** Multiply-accumulates of one image of `image_size`. */
    readonly macs: number;
    readonly image_size: { readonly height: number; readonly width: number };
    readonly preprocessor_source: string;
  };
  readonly variants: Readonly<Partial<Record<VariantName, VariantReport>>>;
  readonly evaluation: (Evaluation & { readonly folder: string }) | null;
  readonly warnings: readonly string[];
}

/** What a report is made of. */
export interface ReportParts {
  readonly manifest: Manifest;
  readonly prepared: PreparedImport;
  readonly built: BuiltVariants;
  readonly measurements: Readonly<Partial<Record<VariantName, Measurement>>>;
  readonly evaluation: Evaluation | null;
  readonly warnings: readonly string[];
}

/** Puts a report together. */
export function createReport(parts: ReportParts): Report {
  const { manifest, prepared, measurements, evaluation } = parts;
  const variants: Partial<Record<VariantName, VariantReport>> = {};
  for (const [name, variant] of Object.entries(manifest.variants) as [
    VariantName,
    NonNullable<Manifest['variants']['fp32']>,
  ][]) {
    const input = variant.inputs[0]!;
    variants[name] = {
      bytes: variant.model.bytes + (variant.weights?.bytes ?? 0),
      outputs: variant.outputs.map((output) => output.name),
      input: `${input.name} ${input.dtype} [${input.shape.join(', ')}]`,
      measured: measurements[name] ?? null,
    };
  }
  const any = manifest.variants[manifest.default_variant]!;
  return {
    schema_version: 1,
    name: manifest.name,
    version: manifest.version,
    created_at: manifest.created_at,
    source: manifest.source,
    architecture: {
      config: bitConfigToJson(prepared.checkpoint.config),
      parameters: any.parameters,
      macs: any.macs,
      image_size: prepared.imageSize,
      preprocessor_source: prepared.preprocessorSource,
    },
    variants,
    evaluation: evaluation === null ? null : { folder: prepared.evaluationImages!.name, ...evaluation },
    warnings: parts.warnings,
  };
}
