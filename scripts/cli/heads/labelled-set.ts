/** A folder whose folders are classes, embedded by a local backbone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../../../model-store/sha256.ts';
import { AppError, RequestError } from '../../../worker/errors.ts';
import { exampleIdOf } from '../../../worker/heads/example-id.ts';
import { singleLabelTargets } from '../../../worker/heads/math/targets.ts';
import type { TrainingSet } from '../../../worker/heads/math/train.ts';
import { listImages } from '../import/images.ts';
import type { LocalModel } from '../local-model.ts';

const POOLED = 'pooler_output';

/** A training set, and where each example came from. */
export interface LabelledSet {
  readonly set: TrainingSet;
  /** Paths by example, in the order of the set. */
  readonly files: readonly string[];
}

/**
 * Embeds the pictures of a folder, in the order in which a worker would train on them.
 * @throws RequestError `invalid_body` where a picture is in no folder; AppError of a picture, naming it.
 */
export async function readLabelledSet(
  folder: string,
  { classifier, reference }: LocalModel,
  onPicture: () => void,
): Promise<LabelledSet> {
  const { paths } = await listImages(folder);
  const examples: { id: string; label: string; file: string; embedding: Float32Array }[] = [];
  for (const path of paths) {
    const label = path.split('/').at(-2);
    if (label === undefined) throw new RequestError('invalid_body', `${path} is in no folder; folders are classes`);
    const bytes = new Uint8Array(await readFile(join(folder, path)));
    try {
      const { outputs } = await classifier.infer(bytes, reference, [POOLED], {}, () => {});
      const pooled = outputs.get(POOLED);
      if (pooled?.type !== 'float32') throw new RequestError('invalid_body', `the backbone gives no ${POOLED}`);
      const id = await exampleIdOf(await sha256Hex(bytes), [label]);
      examples.push({ id, label, file: path, embedding: pooled.data });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      throw new AppError(error.code, `${join(folder, path)}: ${error.message}`, { cause: error });
    }
    onPicture();
  }
  // A picture that is there twice under one label is one example, as in the worker.
  const unique = [...new Map(examples.map((example) => [example.id, example])).values()];
  unique.sort((a, b) => (a.id < b.id ? -1 : 1));
  const labels = [...new Set(unique.map(({ label }) => label))].sort();
  const dimensions = unique[0]!.embedding.length;
  const data = new Float32Array(unique.length * dimensions);
  for (const [row, { embedding }] of unique.entries()) data.set(embedding, row * dimensions);
  return {
    set: {
      rows: { data, count: unique.length, dimensions },
      targets: singleLabelTargets(
        unique.map(({ label }) => labels.indexOf(label)),
        labels.length,
      ),
      labels,
      exampleIds: unique.map(({ id }) => id),
    },
    files: unique.map(({ file }) => file),
  };
}
