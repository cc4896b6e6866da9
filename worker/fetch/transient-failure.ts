/** Failures of a fetch that pass by themselves: the server is down, slow or busy. Pure. */
import { FetchError } from '../errors.ts';

/** True if the same URL may answer later. @param error anything thrown by `safeFetch`. */
export function isTransientFetch(error: unknown): boolean {
  if (!(error instanceof FetchError)) return false;
  if (error.code === 'fetch_timeout') return true;
  if (error.code !== 'fetch_failed') return false;
  const { reason, status } = error.details;
  if (reason === 'network' || reason === 'unresolved') return true;
  return typeof status === 'number' && (status >= 500 || status === 429 || status === 408);
}
