/** What an error of one item comes to: the same at the edge and on a GPU worker. Pure. */
import { isTransientFetch } from '../fetch/transient-failure.ts';
import { isRetryable, toAppError } from '../problem.ts';
import type { ItemOutcome } from './records.ts';

/** Failed for good where the item is to blame, worth another try where that may pass. */
export function failureOf(index: number, error: unknown): Exclude<ItemOutcome, { status: 'succeeded' }> {
  const { code } = toAppError(error);
  const message = error instanceof Error ? error.message : String(error);
  const status = isRetryable(error) || isTransientFetch(error) ? 'retry' : 'failed';
  return { index, status, error: { code, message } };
}
