/** Stored examples as a training set: in the order of their ids, classes in the order of their labels, so that it is always the same. */
import { HeadError } from '../errors.ts';
import type { ExampleStore } from './example-store.ts';
import type { TrainingSet } from './math/train.ts';

/**
 * Reads every example that has an embedding.
 * @throws HeadError `head_backbone_changed` where an embedding has another length.
 */
export function readTrainingSet(
  examples: Pick<ExampleStore, 'ready' | 'counts'>,
  dimensions: number,
  multiLabel: boolean,
): TrainingSet {
  const count = examples.counts().ready;
  const data = new Float32Array(count * dimensions);
  const exampleIds: string[] = [];
  const labelled: (readonly string[])[] = [];
  for (const { id, labels, embedding } of examples.ready()) {
    if (embedding.byteLength !== 4 * dimensions) {
      const message = `example ${id} has ${embedding.byteLength / 4} values; others have ${dimensions}`;
      throw new HeadError('head_backbone_changed', message, { details: { example: id } });
    }
    data.set(new Float32Array(embedding), exampleIds.length * dimensions);
    exampleIds.push(id);
    labelled.push(labels);
  }
  const labels = [...new Set(labelled.flat())].sort();
  const indexOf = new Map(labels.map((label, index) => [label, index]));
  const membership = new Uint8Array(count * labels.length);
  for (const [row, own] of labelled.entries()) {
    for (const label of own) membership[row * labels.length + indexOf.get(label)!] = 1;
  }
  return {
    rows: { data, count, dimensions },
    targets: { count, classes: labels.length, multiLabel, membership },
    labels,
    exampleIds,
  };
}
