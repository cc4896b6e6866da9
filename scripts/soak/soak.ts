/** `npm run soak -- --webhooks N | --items N | --heads N`: puts load on a local deployment, breaks it on purpose, and counts what was lost. */
import { runScript, UsageError } from '../process/run-script.ts';

const USAGE = `usage: npm run soak -- --webhooks N [--json]
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

await runScript(
  {
    name: 'soak',
    usage: USAGE,
    options: {
      webhooks: { type: 'string' },
      items: { type: 'string' },
      heads: { type: 'string' },
      calm: { type: 'boolean', default: false },
      engine: { type: 'string', default: 'auto' },
      json: { type: 'boolean', default: false },
    },
  },
  async (values) => {
    const { webhooks, items, heads, calm, engine, json } = values;
    const asked = [webhooks, items, heads].filter((each) => each !== undefined);
    if (asked.length !== 1) throw new UsageError('one of --webhooks, --items and --heads is needed');
    const count = Number(asked[0]);
    if (!Number.isInteger(count) || count < 1) throw new UsageError(`"${asked[0]}" must be an integer from 1`);
    const log = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
    const soak = async () => {
      if (heads !== undefined) return (await import('./heads.ts')).soakHeads(count, log);
      if (items === undefined) return (await import('./webhooks.ts')).soakWebhooks(count, log);
      return (await import('./items.ts')).soakItems(count, log, { calm, engine });
    };
    const { report, problems } = await soak();
    for (const problem of problems) log(`problem  ${problem}`);
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return problems.length === 0 ? 0 : 1;
  },
);
