/** A slice of `npm run hostile`: what was ever known to break the worker, and some generated requests. */
import { expect, it } from 'vitest';
import { attack } from '../../scripts/hostile/attack.ts';

/** Counted, not timed: a slow machine sends as many. */
const GENERATED = 1500;

it('leaves the worker as it was: no 5xx, nothing leased, no job lost or doubled', async () => {
  const problems: string[] = [];
  const counts = await attack({
    seconds: 0,
    atLeast: GENERATED,
    seed: 1,
    log: (line) => void (line.startsWith('problem') && problems.push(line)),
  });
  // How fast is for `npm run hostile` to say.
  const { requests, slow: _, ...rest } = counts;
  expect(rest, problems.join('\n')).toEqual({ server_errors: 0, died: 0, leaked_mib: 0, lost: 0, doubled: 0 });
  expect(requests).toBeGreaterThan(GENERATED);
});
