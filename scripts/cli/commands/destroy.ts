/** `bit-edge destroy`: takes a deployment away. */
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { describeFailure, openAccount } from '../deploy/account.ts';
import { destroy } from '../deploy/destroy.ts';
import { ENVIRONMENT_NAMES } from '../deploy/environments.ts';
import { StepError } from '../deploy/steps.ts';
import { readWranglerConfig } from '../deploy/wrangler-config.ts';
import { installedWrangler } from '../deploy/wrangler-run.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge destroy [--env NAME] [--confirm WORKER]

Deletes the worker with its Durable Objects (jobs, ledgers of moderation), its queues and what waits in them, and its buckets where
they are empty. Buckets that hold objects stay: models, uploads and results are yours to delete.
  --env NAME         ${ENVIRONMENT_NAMES.join(' or ')}. Default: the top level of wrangler.toml.
  --confirm WORKER   the worker's name; without it the command asks for it.
Exit codes: 0 done, 1 failed, 2 wrong usage or not confirmed.
`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      env: { type: 'string' },
      confirm: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.env !== undefined && !ENVIRONMENT_NAMES.includes(values.env)) {
    process.stderr.write(`bit-edge destroy: there is no environment "${values.env}"\n\n${HELP}`);
    return 2;
  }
  const configPath = resolve('wrangler.toml');
  const config = readWranglerConfig(configPath, values.env ?? null);
  const name = config.name ?? 'bit-edge';
  if ((values.confirm ?? (await ask(name))) !== name) {
    process.stderr.write(`bit-edge destroy: not confirmed; type the worker's name, ${name}\n`);
    return 2;
  }
  try {
    const baseUrl = process.env.CLOUDFLARE_API_BASE_URL;
    const account = await openAccount({
      token: await installedWrangler.token(),
      accountId: config.account_id ?? process.env.CLOUDFLARE_ACCOUNT_ID ?? null,
      ...(baseUrl === undefined ? {} : { baseUrl }),
    });
    await destroy(config, {
      account,
      deleteWorker: () => installedWrangler.delete(configPath, values.env ?? null),
      report: (what, removal) => void process.stdout.write(`${removal.padEnd(24)} ${what}\n`),
    });
    return 0;
  } catch (error) {
    const cause = error instanceof StepError ? error.cause : error;
    const what = error instanceof StepError ? `${error.what}: ` : '';
    process.stderr.write(`bit-edge destroy: ${what}${describeFailure(cause)}\n`);
    return 1;
  }
}

/** Asks for the worker's name; null where nobody is there. */
async function ask(name: string): Promise<string | null> {
  if (!process.stdin.isTTY) return null;
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await prompt.question(`This deletes ${name} and what its Durable Objects hold. Its name: `)).trim();
  } finally {
    prompt.close();
  }
}
