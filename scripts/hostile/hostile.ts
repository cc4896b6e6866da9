/** `npm run hostile`: attacks a local deployment of its own, and counts what that did to it and to everybody else. */

import { runScript, UsageError } from '../process/run-script.ts';
import { attack } from './attack.ts';

const USAGE = `usage: npm run hostile -- [--seconds 60] [--requests 0] [--seed 1] [--json]

Starts a worker of its own, sends what is known to have broken it, then generated requests for so many
seconds, and at least so many of them.
--seed S   the generator's seed. --json   standard output is one JSON object.
Exit codes: 0 nothing but requests was counted, 1 something was, 2 wrong usage.
`;

await runScript(
  {
    name: 'hostile',
    usage: USAGE,
    options: {
      seconds: { type: 'string', default: '60' },
      requests: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  },
  async (values) => {
    const [seconds, atLeast, seed] = [Number(values.seconds), Number(values.requests), Number(values.seed)];
    if (!(seconds >= 0)) throw new UsageError(`--seconds is "${values.seconds}"; it must be a number from 0`);
    if (!(atLeast >= 0)) throw new UsageError(`--requests is "${values.requests}"; it must be a number from 0`);
    if (!Number.isInteger(seed)) throw new UsageError(`--seed is "${values.seed}"; it must be an integer`);
    const log = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
    const { requests, ...counts } = await attack({ seconds, atLeast, seed, log });
    process.stdout.write(`${JSON.stringify({ requests, ...counts })}\n`);
    return Object.values(counts).every((count) => count === 0) ? 0 : 1;
  },
);
