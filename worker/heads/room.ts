/** Whether examples fit a head: its limits, and the length and origin of its embeddings. */
import { HeadError } from '../errors.ts';
import type { ExampleStore } from './example-store.ts';
import { checkHeadLimit, trainingBytes, trainingCost } from './limits.ts';
import type { HeadSettings, NewExample } from './records.ts';

/** An example with its id. */
export type NamedExample = NewExample & { readonly id: string };

/**
 * Checks examples that are to be added.
 * @param backbone the version that made their embeddings.
 * @throws HeadError `head_limit_exceeded`, `head_backbone_changed`.
 */
export function checkRoom(
  settings: HeadSettings,
  examples: ExampleStore,
  given: readonly NamedExample[],
  backbone: HeadSettings['backbone'],
): void {
  const { dimensions } = settings;
  const known = examples.known(given.map(({ id }) => id));
  const added = new Map(given.filter(({ id }) => !known.has(id)).map((example) => [example.id, example]));
  for (const { embedding } of added.values()) {
    if (embedding === null) continue;
    checkBackbone(settings, backbone);
    if (embedding.byteLength === 4 * dimensions) continue;
    const message = `an embedding has ${embedding.byteLength / 4} values; the backbone gives ${dimensions}`;
    throw new HeadError('head_backbone_changed', message);
  }
  checkTotal(settings, totalOf(examples) + added.size);
  checkClasses(
    settings,
    examples,
    [...added.values()].map(({ labels }) => labels),
  );
}

/** Embeddings of two backbones never mix. @throws HeadError `head_backbone_changed`. */
export function checkBackbone({ backbone: own }: HeadSettings, given: HeadSettings['backbone']): void {
  if (own.name === given.name && own.version === given.version) return;
  throw new HeadError(
    'head_backbone_changed',
    `the embeddings are of ${given.name}@${given.version}; the head is of ${own.name}@${own.version}`,
    { details: { backbone: `${own.name}@${own.version}`, given: `${given.name}@${given.version}` } },
  );
}

/** Checks labels of examples that are to be there besides those that are. @throws HeadError `head_limit_exceeded`. */
export function checkClasses(
  settings: HeadSettings,
  examples: ExampleStore,
  added: readonly (readonly string[])[],
): void {
  const classes = examples.classes();
  for (const label of added.flat()) {
    const count = (classes.get(label) ?? 0) + 1;
    classes.set(label, count);
    checkHeadLimit('examplesPerClass', count, `examples of class "${label.slice(0, 80)}"`);
  }
  checkHeadLimit('classes', classes.size, 'classes of the head');
  const { pending, ready } = examples.counts();
  checkTraining(settings, pending + ready + added.length, classes.size);
}

/** Checks a head whose embeddings get another length. @throws HeadError `head_limit_exceeded`. */
export function checkDimensions(settings: HeadSettings, examples: ExampleStore): void {
  const total = totalOf(examples);
  checkTotal(settings, total);
  checkTraining(settings, total, examples.classes().size);
}

function totalOf(examples: ExampleStore): number {
  const { pending, ready, failed } = examples.counts();
  return pending + ready + failed;
}

function checkTotal({ dimensions }: HeadSettings, total: number): void {
  checkHeadLimit('examples', total, 'examples of the head');
  checkHeadLimit('embeddingBytes', 4 * total * dimensions, 'bytes of embeddings');
}

function checkTraining({ training: { method }, dimensions }: HeadSettings, total: number, classes: number): void {
  checkHeadLimit('multiplications', trainingCost(method, total, dimensions, classes), 'training');
  checkHeadLimit('trainingBytes', trainingBytes(method, total, dimensions, classes), 'bytes of training');
}
