/** Processes that a test started, and all that those started: known by a variable of their environment. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** The variable. */
export const MARK = 'BIT_EDGE_TEST_MARK';

/** Command lines of the processes that run with this mark. */
export function markedProcesses(mark: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${MARK}=${mark}\0`)) return [];
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').slice(0, 200)}`];
      } catch {
        // It has ended, or is another user's.
        return [];
      }
    });
}
