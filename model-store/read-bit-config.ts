/** Reads a config.json of Hugging Face as a BitConfig. Pure, no I/O. Reference: transformers 5.18 `models/bit/configuration_bit.py`. */
import * as z from 'zod';
import { ModelError } from '../worker/errors.ts';
import { describeContradiction } from './bit-architecture.ts';
import { type BitConfig, defaultLabels, type GlobalPadding, type HiddenAct } from './bit-config.ts';
import { judgeField } from './config-fields.ts';

const ACTIVATIONS: ReadonlyMap<string, HiddenAct> = new Map([
  ['relu', 'relu'],
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['silu', 'silu'],
  ['swish', 'silu'],
]);

const positive = z.int().min(1);

const fields = z.object({
  model_type: z.literal('bit').optional(),
  architectures: z.array(z.string()).nullable().optional(),
  num_channels: positive.default(3),
  embedding_size: positive.default(64),
  hidden_sizes: z.array(positive).min(1).default([256, 512, 1024, 2048]),
  depths: z.array(positive).min(1).default([3, 4, 6, 3]),
  layer_type: z.enum(['preactivation', 'bottleneck']).default('preactivation'),
  hidden_act: z.string().default('relu'),
  global_padding: z.string().nullable().default(null),
  num_groups: positive.default(32),
  drop_path_rate: z.number().min(0).max(1).default(0),
  embedding_dynamic_padding: z.boolean().default(false),
  output_stride: positive.default(32),
  width_factor: positive.default(1),
  num_labels: z.int().min(0).optional(),
  id2label: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .nullable()
    .optional(),
  problem_type: z
    .enum(['single_label_classification', 'multi_label_classification', 'regression'])
    .nullable()
    .default(null),
  stage_names: z.array(z.string()).optional(),
  out_features: z.array(z.string()).nullable().optional(),
  out_indices: z.array(z.int()).nullable().optional(),
});
type Fields = z.infer<typeof fields>;

/** A config and what is worth knowing of how it was read. */
export interface ReadBitConfig {
  readonly config: BitConfig;
  /** What was ignored or made up, each with the field that it is about. */
  readonly warnings: readonly string[];
}

/** Names of the heads that HF has; a class of another name may have either. */
const HEADLESS = ['BitModel', 'BitBackbone'];

/**
 * Reads a config.json of Hugging Face; a field that is absent has HF's default.
 * Where `architectures` names a `BitModel` or `BitBackbone` there is no head: 0 labels.
 * @param json the parsed JSON.
 * @param file what to call it in messages.
 * @throws ModelError `invalid_model_config`, naming the field that is unknown, out of range or contradicts another.
 */
export function parseBitConfig(json: unknown, file = 'config.json'): BitConfig {
  return readBitConfig(json, file).config;
}

/**
 * The same, with what is worth knowing of how it was read.
 * @param classifierRows labels that the weights have; 0 where they have no classifier, undefined where nobody knows.
 */
export function readBitConfig(json: unknown, file = 'config.json', classifierRows?: number): ReadBitConfig {
  const parsed = fields.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw invalid(file, issue.path.map(String).join('.') || 'the file', issue.message);
  }
  const warnings: string[] = [];
  const all = json as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(all)) {
    if (name in fields.shape) continue;
    const verdict = judgeField(name, all, Object.keys(fields.shape));
    if (verdict.kind === 'error') throw invalid(file, name, verdict.message);
    if (verdict.kind === 'warning') warnings.push(`${file}: ${verdict.message}`);
  }
  const raw = parsed.data;
  const labels = hasHead(raw, classifierRows, file, warnings) ? readLabels(raw, file, classifierRows, warnings) : [];
  const stageNames = ['stem', ...raw.depths.map((_, index) => `stage${index + 1}`)];
  if (raw.stage_names !== undefined && raw.stage_names.join() !== stageNames.join()) {
    throw invalid(file, 'stage_names', `[${raw.stage_names}] contradicts depths, which give [${stageNames}]`);
  }
  const outIndices = readOutIndices(raw, stageNames, file);
  const config: BitConfig = {
    numChannels: raw.num_channels,
    embeddingSize: raw.embedding_size,
    hiddenSizes: raw.hidden_sizes,
    depths: raw.depths,
    layerType: raw.layer_type,
    hiddenAct: readHiddenAct(raw.hidden_act, file),
    globalPadding: readGlobalPadding(raw.global_padding, file),
    numGroups: raw.num_groups,
    embeddingDynamicPadding: raw.embedding_dynamic_padding,
    outputStride: raw.output_stride,
    widthFactor: raw.width_factor,
    dropPathRate: raw.drop_path_rate,
    numLabels: labels.length,
    labels,
    problemType: raw.problem_type,
    outFeatures: outIndices.map((index) => stageNames[index]!),
    outIndices,
  };
  const contradiction = describeContradiction(config);
  if (contradiction !== null) throw invalid(file, contradiction.field, contradiction.problem);
  return { config, warnings };
}

/** Whether there is a classifier: as `architectures` says, else as the weights do. */
function hasHead(raw: Fields, classifierRows: number | undefined, file: string, warnings: string[]): boolean {
  const names = raw.architectures ?? [];
  if (names.includes('BitForImageClassification')) return true;
  if (names.some((name) => HEADLESS.includes(name))) return false;
  if (names.length > 0) warnings.push(`${file}: architectures: ${names.join(', ')} is read as a BiT of transformers`);
  return classifierRows !== 0;
}

/** Names by index. Where indices are missing, as many labels as the weights have, and HF's `LABEL_n` for those without a name. */
function readLabels(raw: Fields, file: string, classifierRows: number | undefined, warnings: string[]): string[] {
  const { id2label } = raw;
  if (id2label === undefined || id2label === null) return defaultLabels(raw.num_labels ?? 2);
  const indices = Object.keys(id2label).map((key) => {
    if (!/^(0|[1-9]\d{0,6})$/.test(key)) throw invalid(file, 'id2label', `"${key.slice(0, 80)}" is not an index`);
    return Number(key);
  });
  const count = indices.length;
  if (raw.num_labels !== undefined && raw.num_labels !== count) {
    warnings.push(`${file}: num_labels ${raw.num_labels} is ignored: id2label has ${count} entries`);
  }
  const beyond = indices.reduce((most, index) => Math.max(most, index + 1), 0);
  // HF makes as many outputs as there are entries; a checkpoint that was trained with more has rows for all of them.
  const rows = classifierRows === beyond ? beyond : count;
  const unnamed = defaultLabels(rows).filter((_, index) => !Object.hasOwn(id2label, String(index)));
  if (unnamed.length > 0) {
    const shown = `${unnamed.slice(0, 5).join(', ')}${unnamed.length > 5 ? ', ...' : ''}`;
    warnings.push(`${file}: id2label has no name for ${unnamed.length} of ${rows} labels: ${shown}`);
  }
  return defaultLabels(rows).map((fallback, index) => String(id2label[String(index)] ?? fallback));
}

function readHiddenAct(name: string, file: string): HiddenAct {
  const activation = ACTIVATIONS.get(name);
  if (activation === undefined) {
    throw invalid(file, 'hidden_act', `"${name}" is not supported; supported: ${[...ACTIVATIONS.keys()].join(', ')}`);
  }
  return activation;
}

function readGlobalPadding(name: string | null, file: string): GlobalPadding {
  const padding = name?.toUpperCase() ?? null;
  if (padding === null || padding === 'SAME' || padding === 'VALID') return padding;
  throw invalid(file, 'global_padding', `"${name}" is not supported; supported: null, SAME, VALID`);
}

function readOutIndices(raw: Fields, stageNames: readonly string[], file: string): number[] {
  const fromNames = raw.out_features?.map((name) => {
    const index = stageNames.indexOf(name);
    if (index < 0) throw invalid(file, 'out_features', `"${name}" is not one of ${stageNames.join(', ')}`);
    return index;
  });
  const fromIndices = raw.out_indices?.map((index) => {
    const positiveIndex = index < 0 ? index + stageNames.length : index;
    if (positiveIndex < 0 || positiveIndex >= stageNames.length) {
      throw invalid(file, 'out_indices', `${index} is out of range; there are ${stageNames.length} stages`);
    }
    return positiveIndex;
  });
  for (const [field, indices] of [
    ['out_features', fromNames],
    ['out_indices', fromIndices],
  ] as const) {
    if (indices?.some((index, position) => position > 0 && index <= indices[position - 1]!)) {
      throw invalid(file, field, `has duplicates or is not in the order of ${stageNames.join(', ')}`);
    }
  }
  if (fromNames !== undefined && fromIndices !== undefined && fromNames.join() !== fromIndices.join()) {
    throw invalid(file, 'out_indices', `[${raw.out_indices}] contradicts out_features [${raw.out_features}]`);
  }
  return fromNames ?? fromIndices ?? [stageNames.length - 1];
}

function invalid(file: string, field: string, problem: string): ModelError {
  return new ModelError('invalid_model_config', `${file}: ${field}: ${problem}`, { details: { file, field } });
}
