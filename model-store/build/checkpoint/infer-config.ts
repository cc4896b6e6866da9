/**
 * The architecture read off the arrays, for formats whose files do not say it (Google's `.npz`, timm). Pure, no I/O.
 */
import { ModelError } from '../../../worker/errors.ts';
import { type BitConfig, defaultLabels } from '../../bit-config.ts';
import { parseBitConfig } from '../../read-bit-config.ts';

/** Groups of every group norm in the published BiT networks (`GroupNorm(32)` in big_transfer, `num_groups=32` in timm). */
export const PUBLISHED_NUM_GROUPS = 32;

/** Fields of HF's config that the arrays tell. */
export const ARRAY_FIELDS: ReadonlySet<string> = new Set(['num_channels', 'embedding_size', 'hidden_sizes', 'depths']);

/** What the arrays cannot tell. */
export interface AssumedConfig {
  readonly numGroups: number;
  readonly globalPadding: string | null;
}

/**
 * The config of a pre-activation network from the shapes of its weights in HF's names: depths, widths, channels, labels.
 * @throws ModelError `invalid_checkpoint` where the stem is missing or a stage is empty.
 */
export function inferConfig(
  weights: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  file: string,
  assumed: AssumedConfig,
): BitConfig {
  const stem = weights.get('bit.embedder.convolution.weight');
  if (stem === undefined || stem.shape.length !== 4) {
    throw new ModelError('invalid_checkpoint', `${file}: no stem convolution; this is no BiT network`);
  }
  const depths: number[] = [];
  for (const name of weights.keys()) {
    const match = /^bit\.encoder\.stages\.(\d+)\.layers\.(\d+)\./.exec(name);
    if (match === null) continue;
    const stage = Number(match[1]);
    depths[stage] = Math.max(depths[stage] ?? 0, Number(match[2]) + 1);
  }
  const hiddenSizes = Array.from(depths, (_, stage) => {
    const last = weights.get(`bit.encoder.stages.${stage}.layers.0.conv3.weight`);
    if (last === undefined) {
      throw new ModelError('invalid_checkpoint', `${file}: stage ${stage + 1} has no first layer`);
    }
    return last.shape[0]!;
  });
  const numLabels = weights.get('classifier.1.weight')?.shape[0] ?? 0;
  const labels = defaultLabels(numLabels);
  return parseBitConfig(
    {
      num_channels: stem.shape[1],
      embedding_size: stem.shape[0],
      hidden_sizes: hiddenSizes,
      depths,
      num_groups: assumed.numGroups,
      global_padding: assumed.globalPadding,
      id2label: Object.fromEntries(labels.map((label, index) => [index, label])),
    },
    file,
  );
}
