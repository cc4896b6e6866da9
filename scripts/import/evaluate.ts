/** Runs variants over pictures and compares their answers: with each other, and with the truth where it is known. */
import type { VariantName } from '../../model-store/manifest.ts';
import type { ProcessorConfig } from '../../worker/preprocess/config.ts';
import type { OpenVariant } from '../onnx/variant-runner.ts';
import { Progress } from '../progress.ts';
import { type ImageFolder, loadPixelValues } from './images.ts';
import { truthOf } from './labels-file.ts';

/** What an evaluation found; shares are from 0 to 1. */
export interface Evaluation {
  readonly images: number;
  /** Images whose right class is known. */
  readonly labelled: number;
  /** Share of the labelled images that a variant gets right, by variant; null where none is labelled. */
  readonly top1: Readonly<Partial<Record<VariantName, number>>> | null;
  /** How far int8 is from fp32; null where one of them is missing. */
  readonly int8_vs_fp32: {
    /** Share of the images with the same best class. */
    readonly agreement: number;
    /** Mean of |int8 - fp32| over mean of |fp32|, over all logits. */
    readonly mean_logit_error: number;
  } | null;
}

/**
 * Evaluates variants on the logits of every picture.
 * @param truth index of the right class by path; null where it is not known.
 */
export async function evaluateVariants(
  variants: readonly OpenVariant[],
  images: ImageFolder,
  processor: ProcessorConfig,
  truth: ReadonlyMap<string, number> | null,
): Promise<Evaluation> {
  const progress = new Progress('evaluating', images.paths.length);
  const right = new Map<VariantName, number>(variants.map(({ name }) => [name, 0]));
  let labelled = 0;
  let agreeing = 0;
  let difference = 0;
  let magnitude = 0;
  for (const [index, path] of images.paths.entries()) {
    progress.update(index);
    const input = await loadPixelValues(images, path, processor);
    const expected = truth === null ? null : truthOf(truth, images.name, path);
    if (expected !== null) labelled++;
    const logits = new Map<VariantName, Float32Array>();
    for (const { name, variant, session } of variants) {
      const output = session.run(new Map([[variant.inputs[0]!.name, input]]), ['logits']).get('logits')!;
      if (output.type !== 'float32') throw new TypeError(`variant ${name}: logits are ${output.type}`);
      logits.set(name, output.data);
      if (expected !== null && argmax(output.data) === expected) right.set(name, right.get(name)! + 1);
    }
    const [fp32, int8] = [logits.get('fp32'), logits.get('int8')];
    if (fp32 === undefined || int8 === undefined) continue;
    if (argmax(fp32) === argmax(int8)) agreeing++;
    for (let i = 0; i < fp32.length; i++) {
      difference += Math.abs(int8[i]! - fp32[i]!);
      magnitude += Math.abs(fp32[i]!);
    }
  }
  const count = images.paths.length;
  progress.finish(`${count} images`);
  const comparable = right.has('fp32') && right.has('int8');
  return {
    images: count,
    labelled,
    top1: labelled === 0 ? null : Object.fromEntries([...right].map(([name, hits]) => [name, hits / labelled])),
    int8_vs_fp32: comparable
      ? { agreement: agreeing / count, mean_logit_error: magnitude === 0 ? 0 : difference / magnitude }
      : null,
  };
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
