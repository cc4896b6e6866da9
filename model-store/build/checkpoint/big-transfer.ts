/**
 * Checkpoints of big_transfer's PyTorch code: what its fine-tuning saves (`bit.pth.tar`), or a state dict of its models. No I/O.
 * Names: google-research/big_transfer `bit_pytorch/models.py` (`ResNetV2`), `train.py` (`{step, model, optim}`, DataParallel).
 */
import { type LazyTensor, loadCheckpoint } from './checkpoint.ts';
import { ARRAY_FIELDS, inferConfig, PUBLISHED_NUM_GROUPS } from './infer-config.ts';
import { configOrigins, type ReadNetwork } from './provenance.ts';

/** Whether these are big_transfer's names. */
export function isBigTransfer(names: readonly string[]): boolean {
  return names.some((name) => name.startsWith('root.conv.') || name.startsWith('body.block'));
}

/**
 * A checkpoint from big_transfer's weights; the architecture is inferred from them: no config comes with them.
 * @throws ModelError `invalid_checkpoint`, naming the file and the tensor.
 */
export async function fromBigTransfer(
  weights: ReadonlyMap<string, LazyTensor>,
  _json: unknown,
  file: string,
): Promise<ReadNetwork> {
  const renamed = new Map<string, LazyTensor>();
  for (const [name, tensor] of weights) renamed.set(huggingFaceName(name), toWeight(name, tensor));
  return loadBigTransfer(renamed, file, bigTransferName);
}

/**
 * A checkpoint from weights in HF's names: what the weights do not say is the same in every BiT of big_transfer.
 * @param describe the weight's name in the file, for messages.
 * @throws ModelError `invalid_checkpoint`, naming the file and the tensor.
 */
export async function loadBigTransfer(
  weights: ReadonlyMap<string, LazyTensor>,
  file: string,
  describe: (name: string) => string,
): Promise<ReadNetwork> {
  const config = inferConfig(weights, file, { numGroups: PUBLISHED_NUM_GROUPS, globalPadding: null });
  const checkpoint = await loadCheckpoint(config, weights, file, describe);
  const origins = configOrigins(config, (field) => {
    if (field === 'id2label') return { from: 'the weights have no names', assumed: true };
    return { from: ARRAY_FIELDS.has(field) ? 'the weights' : 'every BiT of big_transfer' };
  });
  return { checkpoint, origins, warnings: [] };
}

function huggingFaceName(name: string): string {
  if (name === 'root.conv.weight') return 'bit.embedder.convolution.weight';
  if (name.startsWith('head.gn.')) return name.replace('head.gn.', 'bit.norm.');
  if (name.startsWith('head.conv.')) return name.replace('head.conv.', 'classifier.1.');
  const unit = /^body\.block(\d+)\.unit(\d+)\.(.+)$/.exec(name);
  if (unit === null) return name;
  const rest = unit[3]!.replace(/^gn(\d)\./, 'norm$1.').replace(/^downsample\./, 'downsample.conv.');
  return `bit.encoder.stages.${Number(unit[1]) - 1}.layers.${Number(unit[2]) - 1}.${rest}`;
}

function bigTransferName(name: string): string {
  if (name === 'bit.embedder.convolution.weight') return 'root.conv.weight';
  if (name.startsWith('bit.norm.')) return name.replace('bit.norm.', 'head.gn.');
  if (name.startsWith('classifier.1.')) return name.replace('classifier.1.', 'head.conv.');
  const layer = /^bit\.encoder\.stages\.(\d+)\.layers\.(\d+)\.(.+)$/.exec(name);
  if (layer === null) return name;
  const rest = layer[3]!.replace(/^norm(\d)\./, 'gn$1.').replace(/^downsample\.conv\./, 'downsample.');
  return `body.block${Number(layer[1]) + 1}.unit${String(Number(layer[2]) + 1).padStart(2, '0')}.${rest}`;
}

/** The head is a 1x1 convolution here and a matrix in HF. */
function toWeight(name: string, tensor: LazyTensor): LazyTensor {
  return name === 'head.conv.weight' && tensor.shape.length === 4 && tensor.shape[2] === 1 && tensor.shape[3] === 1
    ? { shape: tensor.shape.slice(0, 2), read: () => tensor.read() }
    : tensor;
}
