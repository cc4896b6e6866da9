/** Reference data that is too large or not ours to commit, for benchmarks and tests. */
import { fileURLToPath } from 'node:url';

/** `$BIT_EDGE_SHARED`, or `shared` beside the project; the folder may be absent. */
export function sharedFolder(): string {
  return process.env.BIT_EDGE_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));
}
