/** Builds the graphs that an import is asked for. */
import { variantFiles } from '../../model-store/assemble.ts';
import { type BuiltGraph, buildBitGraph } from '../../model-store/graph/build.ts';
import { outputNames } from '../../model-store/graph/network.ts';
import type { VariantName } from '../../model-store/manifest.ts';
import type { ImportOptions, PreparedImport } from './prepare.ts';

/** The graphs of one version. */
export interface BuiltVariants {
  readonly graphs: ReadonlyMap<VariantName, BuiltGraph>;
  /** The one that a worker loads. */
  readonly defaultVariant: 'int8' | 'fp32';
  readonly warnings: readonly string[];
}

/** Builds the variants, the default one with the plain file names. */
export async function buildVariants(options: ImportOptions, prepared: PreparedImport): Promise<BuiltVariants> {
  const { checkpoint } = prepared;
  const defaultVariant = options.variants.includes('int8') ? 'int8' : 'fp32';
  const graphs = new Map<VariantName, BuiltGraph>();
  for (const variant of options.variants) {
    // The reference variant runs at any size and gives every output: it is what verify and feature extraction use.
    const outputs = options.outputs ?? outputNames(checkpoint.config);
    const externalWeights = variantFiles(variant, defaultVariant).weights;
    if (variant === 'fp32')
      graphs.set(variant, buildBitGraph(checkpoint, { outputs, inputSize: null, externalWeights }));
  }
  return { graphs, defaultVariant, warnings: [] };
}
