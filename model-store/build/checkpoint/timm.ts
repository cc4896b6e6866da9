/**
 * timm's BiT checkpoints (`resnetv2_*_bit*`): safetensors or pickles with timm's names, and timm's `config.json`. No I/O of its own.
 * Source: timm 1.0.29 `models/resnetv2.py` (`_create_resnetv2_bit`: fixed stem, StdConv2d with epsilon 1e-8).
 */
import * as z from 'zod';
import { ModelError } from '../../../worker/errors.ts';
import type { BitConfig } from '../../bit-config.ts';
import { type LazyTensor, loadCheckpoint } from './checkpoint.ts';
import { ARRAY_FIELDS, inferConfig, PUBLISHED_NUM_GROUPS } from './infer-config.ts';
import { configOrigins, type ReadNetwork } from './provenance.ts';

const STEM = 'stem.conv.weight';

/** Arguments of timm's model function that do not change what is computed, or that the arrays tell. */
const HARMLESS_MODEL_ARGS: ReadonlySet<string> = new Set([
  'num_classes',
  'in_chans',
  'drop_rate',
  'drop_path_rate',
  'global_pool',
  'layers',
  'channels',
  'width_factor',
  'stem_chs',
]);

const labelFields = {
  label_names: z.array(z.string()).optional(),
  label_descriptions: z.record(z.string(), z.string()).optional(),
};

/** What is read of timm's config.json; the arrays tell the rest. The flat fields serve files that name the architecture. */
const configSchema = z.looseObject({
  architecture: z.string().optional(),
  num_classes: z.int().min(0).optional(),
  global_pool: z.string().optional(),
  model_args: z.record(z.string(), z.json()).optional(),
  ...labelFields,
  /** Of the flat form, before timm 0.9. */
  labels: z.array(z.string()).optional(),
  pretrained_cfg: z.looseObject(labelFields).optional(),
  depths: z.array(z.int()).optional(),
  hidden_sizes: z.array(z.int()).optional(),
  embedding_size: z.int().optional(),
  num_labels: z.int().optional(),
  num_groups: z.int().min(1).optional(),
  global_padding: z.string().nullable().optional(),
});
type TimmConfig = z.infer<typeof configSchema>;

/** Whether these are timm's names. */
export function isTimm(names: readonly string[]): boolean {
  return names.some((name) => name.startsWith('stem.') || name.startsWith('stages.'));
}

/**
 * A checkpoint from timm's weights.
 * @param json timm's config.json, parsed; null where there is none.
 * @throws ModelError `invalid_checkpoint` or `invalid_model_config`, naming the file and the tensor or field.
 */
export async function fromTimm(
  weights: ReadonlyMap<string, LazyTensor>,
  json: unknown,
  file: string,
): Promise<ReadNetwork> {
  const timm = parseTimmConfig(json);
  if (!weights.has(STEM)) {
    throw new ModelError('invalid_checkpoint', `${file}: no "${STEM}": a ResNetV2 with a deep stem is no BiT network`);
  }
  const renamed = new Map<string, LazyTensor>();
  for (const [name, tensor] of weights) renamed.set(huggingFaceName(name), toWeight(name, tensor));
  const config = inferConfig(renamed, file, {
    numGroups: timm.num_groups ?? PUBLISHED_NUM_GROUPS,
    globalPadding: timm.global_padding ?? null,
  });
  checkAgainst(timm, config);
  const labels = timmLabels(timm, config);
  const named = { ...config, labels: labels ?? config.labels };
  const origins = configOrigins(named, (field) => {
    if (field === 'id2label') {
      return labels === null
        ? { from: 'the weights have no names, and config.json has no label_names', assumed: true }
        : { from: 'config.json (label_names)' };
    }
    if (ARRAY_FIELDS.has(field)) return { from: 'the weights' };
    return { from: field in timm ? 'config.json' : 'every BiT of timm' };
  });
  return { checkpoint: await loadCheckpoint(named, renamed, file, timmName), origins, warnings: [] };
}

function parseTimmConfig(json: unknown): TimmConfig {
  const parsed = configSchema.safeParse(json ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw invalidField(issue.path.map(String).join('.') || 'the file', issue.message);
  }
  const { architecture, global_pool: pool, model_args: args = {} } = parsed.data;
  if (architecture !== undefined && !/^resnetv2_\w+_bit/.test(architecture)) {
    throw invalidField('architecture', `"${architecture}" is no BiT network; supported: resnetv2_*_bit*`);
  }
  if (pool !== undefined && !['avg', 'fast', 'fastavg'].includes(pool)) {
    throw invalidField('global_pool', `"${pool}" is not supported; supported: avg`);
  }
  const unknown = Object.keys(args).find((name) => !HARMLESS_MODEL_ARGS.has(name));
  if (unknown !== undefined) throw invalidField(`model_args.${unknown}`, 'changes the network; not supported');
  return parsed.data;
}

function huggingFaceName(name: string): string {
  if (name === STEM) return 'bit.embedder.convolution.weight';
  if (name.startsWith('norm.')) return `bit.${name}`;
  if (name.startsWith('head.fc.')) return name.replace('head.fc.', 'classifier.1.');
  return name.replace(/^stages\.(\d+)\.blocks\./, 'bit.encoder.stages.$1.layers.');
}

function timmName(name: string): string {
  if (name === 'bit.embedder.convolution.weight') return STEM;
  return name
    .replace(/^bit\.encoder\.stages\.(\d+)\.layers\./, 'stages.$1.blocks.')
    .replace('bit.norm.', 'norm.')
    .replace('classifier.1.', 'head.fc.');
}

/** The head is a 1x1 convolution in timm and a matrix in HF. */
function toWeight(name: string, tensor: LazyTensor): LazyTensor {
  return name === 'head.fc.weight' && tensor.shape.length === 4 && tensor.shape[2] === 1 && tensor.shape[3] === 1
    ? { shape: tensor.shape.slice(0, 2), read: () => tensor.read() }
    : tensor;
}

function checkAgainst(timm: TimmConfig, config: BitConfig): void {
  const pairs: [keyof TimmConfig & string, unknown, unknown][] = [
    ['num_classes', timm.num_classes, config.numLabels],
    ['num_labels', timm.num_labels, config.numLabels],
    ['embedding_size', timm.embedding_size, config.embeddingSize],
    ['hidden_sizes', timm.hidden_sizes?.join(), config.hiddenSizes.join()],
    ['depths', timm.depths?.join(), config.depths.join()],
  ];
  for (const [field, stated, actual] of pairs) {
    if (stated !== undefined && stated !== actual)
      throw invalidField(field, `${stated}, but the weights have ${actual}`);
  }
}

/** timm names its classes by id (`n01440764`), and describes them where it can. */
function timmLabels(timm: TimmConfig, config: BitConfig): readonly string[] | null {
  const names = timm.label_names ?? timm.pretrained_cfg?.label_names ?? timm.labels;
  if (names === undefined || names.length === 0) return null;
  if (names.length !== config.numLabels) {
    throw invalidField('label_names', `${names.length} names for ${config.numLabels} labels`);
  }
  const descriptions = timm.label_descriptions ?? timm.pretrained_cfg?.label_descriptions;
  return names.map((name) => descriptions?.[name] ?? name);
}

function invalidField(field: string, problem: string): ModelError {
  return new ModelError('invalid_model_config', `config.json: ${field}: ${problem}`, { details: { field } });
}
