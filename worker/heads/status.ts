/** Where a head is, of its stores. */
import type { ExampleStore } from './example-store.ts';
import type { HeadSettings, HeadState, HeadStatus } from './records.ts';
import type { VersionStore } from './version-store.ts';

/** The status of a head. */
export function statusOf(settings: HeadSettings, examples: ExampleStore, store: VersionStore): HeadStatus {
  const { revision, trainedRevision, error } = store.progress;
  const counts = examples.counts();
  const versions = store.versions();
  let state: HeadState = versions.length === 0 ? 'empty' : 'ready';
  if (counts.pending > 0) state = 'embedding';
  else if (revision !== trainedRevision) state = 'stale';
  else if (error !== null) state = 'failed';
  return {
    settings,
    state,
    counts,
    classes: [...examples.classes()].map(([label, count]) => ({ label, examples: count })),
    aliases: store.aliases(),
    versions,
    grants: store.grants(),
    error,
  };
}
