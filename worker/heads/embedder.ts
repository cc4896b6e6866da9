/** Embeds the pictures of a head that wait for it, a few at a time: one that cannot be read fails alone. */
import type { ObjectStore } from '../../model-store/object-store.ts';
import { AppError } from '../errors.ts';
import { isTransientFetch } from '../fetch/transient-failure.ts';
import { isRetryable } from '../problem.ts';
import type { ExampleStore, PendingExample } from './example-store.ts';
import { headPictureKey } from './layout.ts';
import type { HeadSettings } from './records.ts';
import type { VersionStore } from './version-store.ts';

/** Pictures that are embedded in one turn of the alarm. */
const EMBEDDED_PER_TURN = 8;

/** How often a picture is tried before it fails. */
const MAX_ATTEMPTS = 5;

/** What embedding works with. */
export interface EmbeddingWork {
  readonly store: ObjectStore;
  /** The pooled features of a picture, and its hash. @throws AppError. */
  embed(example: PendingExample, head: HeadSettings): Promise<{ embedding: Uint8Array; sha256: string }>;
}

/** Embeds the next pictures. @returns false where none waits. */
export async function embedPending(
  examples: ExampleStore,
  versions: VersionStore,
  work: EmbeddingWork,
): Promise<boolean> {
  const pending = examples.pending(EMBEDDED_PER_TURN);
  for (const example of pending) {
    const settings = versions.settings;
    if (settings === null) return false;
    await embedOne(example, settings, examples, versions, work);
  }
  return pending.length > 0;
}

async function embedOne(
  example: PendingExample,
  settings: HeadSettings,
  examples: ExampleStore,
  versions: VersionStore,
  work: EmbeddingWork,
): Promise<void> {
  const { name, version } = settings.backbone;
  try {
    const { embedding, sha256 } = await work.embed(example, settings);
    const current = versions.settings?.backbone;
    // The head has got another backbone meanwhile: the picture waits for that.
    if (current?.name !== name || current.version !== version) return;
    examples.setEmbedding(example.id, embedding, sha256);
    // Counts as a change: what is trained meanwhile lacks it.
    versions.touch();
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'internal_error';
    const message = error instanceof Error ? error.message : String(error);
    const isFinal = !(isRetryable(error) || isTransientFetch(error)) || example.attempts + 1 >= MAX_ATTEMPTS;
    examples.setFailure(example.id, { code, message: message.slice(0, 300) }, isFinal);
    return;
  }
  if (!settings.keepPictures && example.stored) {
    await work.store.delete([headPictureKey(settings.owner, settings.name, example.id)]);
  }
}
