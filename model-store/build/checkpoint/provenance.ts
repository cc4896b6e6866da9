/** Where what is known of a network came from, for the report. Pure, no I/O. */
import { type BitConfig, bitConfigToJson, functionToApply } from '../../bit-config.ts';
import type { Checkpoint } from './checkpoint.ts';

/** One field and where its value came from. */
export interface Origin {
  readonly field: string;
  /** As people read it. */
  readonly value: string;
  /** A file, `the weights`, an option, or whose default it is. */
  readonly from: string;
  /** True where nothing said so, and a usual value was taken: worth a look. */
  readonly assumed: boolean;
}

/** A checkpoint and how it was read. */
export interface ReadNetwork {
  readonly checkpoint: Checkpoint;
  readonly origins: readonly Origin[];
  /** What was ignored or made up. */
  readonly warnings: readonly string[];
}

const ARCHITECTURE_FIELDS = [
  'num_channels',
  'embedding_size',
  'hidden_sizes',
  'depths',
  'layer_type',
  'hidden_act',
  'global_padding',
  'num_groups',
  'embedding_dynamic_padding',
  'output_stride',
  'width_factor',
] as const;

/**
 * The origins of an architecture, its labels and what makes scores of its logits.
 * @param fromOf where a field of HF's config came from.
 */
export function configOrigins(
  config: BitConfig,
  fromOf: (field: string) => { readonly from: string; readonly assumed?: boolean },
): Origin[] {
  const json = bitConfigToJson(config);
  const origins: Origin[] = ARCHITECTURE_FIELDS.map((field) => {
    return { field, value: JSON.stringify(json[field]), assumed: false, ...fromOf(field) };
  });
  if (config.numLabels === 0) return origins;
  const { labels } = config;
  const names = labels.slice(0, 2).join('; ') + (labels.length > 2 ? '; ...' : '');
  origins.push({ field: 'labels', value: `${labels.length}: ${names}`, assumed: false, ...fromOf('id2label') });
  const from =
    config.problemType === null
      ? `problem_type is not given: as transformers does for ${labels.length} label${labels.length === 1 ? '' : 's'}`
      : `problem_type "${config.problemType}"`;
  origins.push({ field: 'function_to_apply', value: functionToApply(config), from, assumed: false });
  return origins;
}

/** The warnings that assumed values deserve, one for all that came from the same place. */
export function assumptionWarnings(origins: readonly Origin[]): string[] {
  const byPlace = new Map<string, Origin[]>();
  for (const origin of origins) {
    if (origin.assumed) byPlace.set(origin.from, [...(byPlace.get(origin.from) ?? []), origin]);
  }
  return [...byPlace].map(([from, assumed]) => {
    return `${assumed.map(({ field, value }) => `${field} ${value}`).join('; ')}: ${from}`;
  });
}
