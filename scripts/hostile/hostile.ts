/** `npm run hostile`: attacks a local deployment of its own, and counts what that did to it and to everybody else. */
import { parseArgs } from 'node:util';
import { attack } from './attack.ts';

const HELP = `usage: npm run hostile -- [--seconds 60] [--seed 1] [--json]

Starts a worker of its own, sends what is known to have broken it, then generated requests for so many seconds.
--seed S   the generator's seed. --json   standard output is one JSON object.
Exit codes: 0 nothing but requests was counted, 1 something was, 2 wrong usage.
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];

if (values.help) {
  process.stdout.write(HELP);
} else if (!(seconds >= 0) || !Number.isInteger(seed)) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  const log = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
  const { requests, ...counts } = await attack({ seconds, seed, log });
  process.stdout.write(`${JSON.stringify({ requests, ...counts })}\n`);
  process.exitCode = Object.values(counts).every((count) => count === 0) ? 0 : 1;
}
