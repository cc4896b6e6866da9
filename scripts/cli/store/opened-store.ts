/** An object store that a command works with. */
import type { ObjectStore } from '../../../model-store/object-store.ts';

/** An open store; `close` must be called, or a process stays behind. */
export interface OpenStore {
  readonly store: ObjectStore;
  /** What to call it in messages. */
  readonly description: string;
  close(): Promise<void>;
}
