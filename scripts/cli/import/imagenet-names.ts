/** Names for networks whose files have none: timm's and Google's checkpoints of ImageNet-1k and ImageNet-21k. */
import { readFile } from 'node:fs/promises';

/** Names by number of labels; where they came from: labels/README.md. */
const LISTS: ReadonlyMap<number, { readonly file: string; readonly title: string }> = new Map([
  [1000, { file: 'imagenet-1k.txt', title: 'ImageNet-1k' }],
  [21_843, { file: 'imagenet-21k.txt', title: 'ImageNet-21k' }],
]);

/** What a checkpoint's own name says of what it was trained on: `BiT-M-R50x1-ILSVRC2012`, `goog_in21k_ft_in1k`. */
const SAYS_IMAGENET = /ilsvrc|imagenet|in1k|in21k|in22k/i;

/** Names for a network without any. */
export interface ImagenetNames {
  readonly names: readonly string[];
  readonly from: string;
  /** True where nothing but the number of labels says that it is ImageNet. */
  readonly assumed: boolean;
}

/**
 * The names of ImageNet's classes for a network with as many labels; null for another number.
 * @param reference what the user calls the checkpoint.
 */
export async function imagenetNames(labels: number, reference: string): Promise<ImagenetNames | null> {
  const list = LISTS.get(labels);
  if (list === undefined) return null;
  const text = await readFile(new URL(`labels/${list.file}`, import.meta.url), 'utf8');
  const names = text.trimEnd().split('\n');
  // No other data set has 21,843 classes.
  const assumed = labels === 1000 && !SAYS_IMAGENET.test(reference);
  const why = assumed ? `it has ${labels} labels and no names; --labels says otherwise` : 'the checkpoint has no names';
  return { names, from: `the names of ${list.title}: ${why}`, assumed };
}
