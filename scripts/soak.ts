/** `npm run soak -- --webhooks N`: puts load on a local deployment, breaks it on purpose, and counts what was lost. */
import { parseArgs } from 'node:util';

const HELP = `usage: npm run soak -- --webhooks N [--json]

--webhooks N   N signed webhooks to receivers that fail in every way, while the worker is killed twice.
--json         the last line of standard output is one JSON object.
Exit codes: 0 nothing was lost, 1 something was, 2 wrong usage.
`;

const { values } = parseArgs({
  options: {
    webhooks: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const webhooks = Number(values.webhooks);

if (values.help) {
  process.stdout.write(HELP);
} else if (values.webhooks === undefined || !Number.isInteger(webhooks) || webhooks < 1) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  const log = (line: string): void => {
    (values.json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  const { soakWebhooks } = await import('./soak/webhooks.ts');
  const { report, problems } = await soakWebhooks(webhooks, log);
  for (const problem of problems) log(`problem  ${problem}`);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
