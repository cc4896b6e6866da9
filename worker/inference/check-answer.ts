/** Whether what a network gave can be an answer. A model that is damaged in a way no hash shows must not answer, or judge. Pure. */
import { ModelError } from '../errors.ts';
import type { Tensor } from './inference-session.ts';

/** Of a model, what its answers are held against. */
export interface AnsweringModel {
  readonly manifest: { readonly name: string; readonly version: string };
  readonly labels: { readonly length: number };
}

/**
 * Checks the outputs of one image.
 * @throws ModelError `model_failed` if `logits` are not one number per label, or a number is not finite.
 */
export function checkAnswer({ manifest, labels }: AnsweringModel, outputs: ReadonlyMap<string, Tensor>): void {
  const id = `${manifest.name}@${manifest.version}`;
  for (const [name, { data }] of outputs) {
    if (name === 'logits' && data.length !== labels.length) {
      throw new ModelError('model_failed', `${id} gave ${data.length} logits for ${labels.length} labels`, {
        details: { model: id, logits: data.length, labels: labels.length },
      });
    }
    // What is not finite makes the sum so; finite float32 values cannot overflow it.
    let sum = 0;
    for (let index = 0; index < data.length; index++) sum += data[index]!;
    if (!Number.isFinite(sum)) {
      let count = 0;
      for (let index = 0; index < data.length; index++) if (!Number.isFinite(data[index]!)) count++;
      throw new ModelError('model_failed', `${id} gave "${name}": ${count} of ${data.length} numbers are not finite`, {
        details: { model: id, output: name, not_finite: count, numbers: data.length },
      });
    }
  }
}
