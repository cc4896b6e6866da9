/** Runs variants over pictures and compares their answers: with each other, and with the truth where it is known. */
import type { VariantName } from '../../../model-store/manifest.ts';
import type { OrtSession } from '../../../worker/inference/session.ts';
import type { ProcessorConfig } from '../../../worker/preprocess/config.ts';
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
  readonly int8_vs_fp32: Deviation | null;
  /** The same for int8 as it would be without pictures; null where int8 was not calibrated. */
  readonly int8_without_pictures_vs_fp32: Deviation | null;
}

/** An evaluation, and what it found of each image. */
export interface Evaluated {
  readonly evaluation: Evaluation;
  /** fp32's best class, by image; null where fp32 was not evaluated. */
  readonly fp32Best: readonly number[] | null;
}

/** How far a form of the network is from fp32. */
export interface Deviation {
  /** Share of the images with the same best class. */
  readonly agreement: number;
  /** Mean of |difference| over mean of |fp32|, over all logits. */
  readonly mean_logit_error: number;
}

/** A network that can run, under the name that its answers have. */
export interface Contender {
  readonly name: VariantName | 'int8_without_pictures';
  readonly input: string;
  readonly session: OrtSession;
}

/**
 * Evaluates variants on the logits of every picture.
 * @param truth index of the right class by path; null where it is not known.
 */
export async function evaluateVariants(
  contenders: readonly Contender[],
  images: ImageFolder,
  processor: ProcessorConfig,
  truth: ReadonlyMap<string, number> | null,
): Promise<Evaluated> {
  const progress = new Progress('evaluating', images.paths.length);
  const right = new Map<Contender['name'], number>();
  const deviations = new Map<Contender['name'], DeviationSum>();
  for (const { name } of contenders) {
    if (name !== 'int8_without_pictures') right.set(name, 0);
    deviations.set(name, new DeviationSum());
  }
  const fp32Best: number[] = [];
  let labelled = 0;
  for (const [index, path] of images.paths.entries()) {
    progress.update(index);
    const input = await loadPixelValues(images, path, processor);
    const expected = truth === null ? null : truthOf(truth, images.name, path);
    if (expected !== null) labelled++;
    const logits = new Map<Contender['name'], Float32Array>();
    for (const { name, input: inputName, session } of contenders) {
      const output = session.run(new Map([[inputName, input]]), ['logits']).get('logits')!;
      if (output.type !== 'float32') throw new TypeError(`variant ${name}: logits are ${output.type}`);
      logits.set(name, output.data);
      const hits = right.get(name);
      if (hits !== undefined && expected !== null && argmax(output.data) === expected) right.set(name, hits + 1);
    }
    const fp32 = logits.get('fp32');
    if (fp32 === undefined) continue;
    fp32Best.push(argmax(fp32));
    for (const [name, values] of logits) deviations.get(name)!.add(values, fp32);
  }
  const count = images.paths.length;
  progress.finish(`${count} images`);
  const deviationOf = (name: Contender['name']): Deviation | null =>
    right.has('fp32') ? (deviations.get(name)?.finish(count) ?? null) : null;
  const evaluation: Evaluation = {
    images: count,
    labelled,
    top1: labelled === 0 ? null : Object.fromEntries([...right].map(([name, hits]) => [name, hits / labelled])),
    int8_vs_fp32: deviationOf('int8'),
    int8_without_pictures_vs_fp32: deviationOf('int8_without_pictures'),
  };
  return { evaluation, fp32Best: right.has('fp32') ? fp32Best : null };
}

class DeviationSum {
  #agreeing = 0;
  #difference = 0;
  #magnitude = 0;

  add(values: Float32Array, fp32: Float32Array): void {
    if (argmax(values) === argmax(fp32)) this.#agreeing++;
    for (let i = 0; i < fp32.length; i++) {
      this.#difference += Math.abs(values[i]! - fp32[i]!);
      this.#magnitude += Math.abs(fp32[i]!);
    }
  }

  finish(images: number): Deviation {
    const error = this.#magnitude === 0 ? 0 : this.#difference / this.#magnitude;
    return { agreement: this.#agreeing / images, mean_logit_error: error };
  }
}

/** Index of the largest value. */
export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
