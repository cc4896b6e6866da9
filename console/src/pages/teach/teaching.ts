/** Sends pictures to a head and waits until a version knows them. */
import type { BitEdgeClient, Head, HeadClass, NewHead } from '../../../../client/index.ts';
import { dataUriOf } from '../../data-uri.ts';
import { batchesOf, type Labelled } from './columns.ts';

/** Pause between two looks at a head that still embeds, in ms. */
const POLL_MS = 400;

/** How far it is. */
export interface TeachingProgress {
  readonly sent: number;
  readonly of: number;
}

/** What is taught: a new head, or an existing one. @param idempotencyKey lets a later call go on with a head that this one made. */
export type Pupil =
  | { readonly kind: 'new'; readonly head: Omit<NewHead, 'classes'>; readonly idempotencyKey: string }
  | { readonly kind: 'known'; readonly name: string };

/**
 * Teaches and trains.
 * @throws BitEdgeError as the deployment refuses; what was sent before it stays taught.
 */
export async function teach(
  client: BitEdgeClient,
  pupil: Pupil,
  examples: readonly Labelled[],
  onProgress: (progress: TeachingProgress) => void,
): Promise<Head> {
  const name = pupil.kind === 'new' ? pupil.head.name : pupil.name;
  let sent = 0;
  onProgress({ sent, of: examples.length });
  for (const [at, batch] of batchesOf(examples, pupil.kind === 'new' ? 2 : 1).entries()) {
    const classes = await classesOf(batch);
    if (pupil.kind === 'new' && at === 0) await client.createHead({ ...pupil.head, classes }, pupil.idempotencyKey);
    else await client.addExamples(name, classes);
    sent += batch.length;
    onProgress({ sent, of: examples.length });
  }
  return trainNow(client, name);
}

/** Waits until every picture is embedded, and trains without waiting for the examples to rest. */
export async function trainNow(client: BitEdgeClient, name: string): Promise<Head> {
  for (;;) {
    const { examples } = await client.getHead(name);
    if (examples.pending === 0) return client.trainHead(name);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function classesOf(batch: readonly Labelled[]): Promise<HeadClass[]> {
  const images = new Map<string, string[]>();
  for (const { label, blob } of batch) {
    // Not a form: there a class named “archive” would be one.
    images.set(label, [...(images.get(label) ?? []), await dataUriOf(blob)]);
  }
  return [...images].map(([label, each]) => ({ label, images: each }));
}
