/** `npm run soak -- --webhooks N | --items N | --heads N`: puts load on a local deployment, breaks it on purpose, and counts what was lost. */
import { parseArgs } from 'node:util';

const HELP = `usage: npm run soak -- --webhooks N [--json]
       npm run soak -- --heads N [--json]
       npm run soak -- --items N [--calm] [--engine auto|gpu|wasm] [--json]

--webhooks N   N signed webhooks to receivers that fail in every way, while the worker is killed twice.
--items N      one bulk job of N images, while the GPU backend is killed twice, the worker once, and R2 loses the images for a while.
--heads N      N concurrent additions of examples to one head, while the worker is killed three times.
--calm         with --items: nothing is killed or broken; how fast it goes by itself (docs/bench/jobs.md).
--engine E     with --items: who answers. Default auto.
--json         the last line of standard output is one JSON object.
Exit codes: 0 nothing was lost, 1 something was, 2 wrong usage.
`;

const { values } = parseArgs({
  options: {
    webhooks: { type: 'string' },
    items: { type: 'string' },
    heads: { type: 'string' },
    calm: { type: 'boolean', default: false },
    engine: { type: 'string', default: 'auto' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const count = Number(values.webhooks ?? values.items ?? values.heads);
const asked = [values.webhooks, values.items, values.heads].filter((each) => each !== undefined).length;

if (values.help) {
  process.stdout.write(HELP);
} else if (asked !== 1 || !Number.isInteger(count) || count < 1) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  const log = (line: string): void => {
    (values.json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  const run = async () => {
    if (values.heads !== undefined) return (await import('./heads.ts')).soakHeads(count, log);
    if (values.items === undefined) return (await import('./webhooks.ts')).soakWebhooks(count, log);
    return (await import('./items.ts')).soakItems(count, log, { calm: values.calm, engine: values.engine });
  };
  const { report, problems } = await run();
  for (const problem of problems) log(`problem  ${problem}`);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
