/** `bit-edge deploy`: from an empty account to a serving deployment. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { parseManifest } from '../../../model-store/manifest.ts';
import { ensureDefaultModel } from '../default-model.ts';
import { describeFailure, openAccount } from '../deploy/account.ts';
import { buildHash } from '../deploy/build-hash.ts';
import { type Deployment, type DeployPlan, type DeployWorld, deploy, type ModelToDeploy } from '../deploy/deploy.ts';
import { ENVIRONMENT_NAMES } from '../deploy/environments.ts';
import { samplePicture } from '../deploy/sample-picture.ts';
import { type Outcome, StepError } from '../deploy/steps.ts';
import { readWranglerConfig } from '../deploy/wrangler-config.ts';
import { installedWrangler } from '../deploy/wrangler-run.ts';
import { ensureRequestedModel, parseModelSource } from '../requested-model.ts';
import { withStore } from '../store/open-store.ts';

/** What `--help` prints. */
export const HELP = `usage: npm run deploy -- [--env NAME] [--model SOURCE] [--upload-events PREFIX] [--secrets-file FILE] [--dry-run] [--yes]

Makes what the account lacks (buckets, queues, dead-letter queues), publishes the model, makes a first API key, deploys the worker,
waits until it is ready and sends it one picture. Safe to run again: what is there stays, what differs is changed; after a
failure it goes on where it stopped.
  --env NAME              ${ENVIRONMENT_NAMES.join(' or ')}. Default: the top level of wrangler.toml, whose names are production's.
  --model SOURCE          a BiT of yours: google/bit-50 or another repository on the hub, a checkpoint, or the folder that
                          "bit-edge import" made. Default: the bundled model.
  --upload-events PREFIX  moderates uploads under this prefix of the uploads bucket ("" for all); see docs/moderation.md.
  --secrets-file FILE     JSON or .env with secrets for the worker: MODERATION, GPU_BACKEND_TOKEN. Sent with every run.
  --dry-run               prints what would be made, and makes nothing.
  --yes                   does not ask.
Needs "npx wrangler login" or CLOUDFLARE_API_TOKEN, and CLOUDFLARE_ACCOUNT_ID where the login has several accounts.
Exit codes: 0 done, 1 failed, 2 wrong usage.
`;

const COSTS = `Costs (2026): the Workers Paid plan, $5 a month, is needed: BiT takes more than the 10 ms of CPU that the free plan allows.
It includes 30 million ms of CPU; more is $0.02 per million ms. docs/deploy.md has the arithmetic per image.
`;

const VERBS: Readonly<Record<Outcome, string>> = { there: 'is there', made: 'made', 'would be made': 'would be made' };

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      env: { type: 'string' },
      model: { type: 'string' },
      'upload-events': { type: 'string' },
      'secrets-file': { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      yes: { type: 'boolean', short: 'y', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.env !== undefined && !ENVIRONMENT_NAMES.includes(values.env)) {
    process.stderr.write(`bit-edge deploy: there is no environment "${values.env}"\n\n${HELP}`);
    return 2;
  }
  const environment = values.env ?? null;
  const configPath = resolve('wrangler.toml');
  const config = readWranglerConfig(configPath, environment);
  const dryRun = values['dry-run'];
  try {
    const token = await installedWrangler.token();
    const baseUrl = process.env.CLOUDFLARE_API_BASE_URL;
    const account = await openAccount({
      token,
      accountId: config.account_id ?? process.env.CLOUDFLARE_ACCOUNT_ID ?? null,
      ...(baseUrl === undefined ? {} : { baseUrl }),
    });
    const plan: DeployPlan = {
      config,
      configPath,
      environment,
      model: await readModel(await modelFolder(values.model)),
      uploadPrefix: values['upload-events'] ?? null,
      secretsFile: values['secrets-file'] ?? null,
    };
    printPlans(await account.ratePlans());
    const world: DeployWorld = {
      account,
      withModels: (use) =>
        withStore({ remote: true, ...(environment === null ? {} : { environment }) }, ({ store }) => use(store)),
      buildHash: () => buildHash(installedWrangler, config, configPath, environment),
      deploy: (deployArgs) => installedWrangler.deploy(deployArgs),
      fetch: (url, init) => fetch(url, init),
      sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
      now: () => Date.now(),
      random: (bytes) => randomBytes(bytes),
      report: (what, outcome) => void process.stdout.write(`${VERBS[outcome].padEnd(14)} ${what}\n`),
      showKey: (key) => void process.stdout.write(`               ${key}   (shown this once)\n`),
    };
    if (!dryRun && !values.yes && !(await confirm(plan, world))) return 2;
    const deployment = await deploy(plan, world, dryRun);
    if (deployment !== null) await finish(deployment);
    return 0;
  } catch (error) {
    return fail(error);
  }
}

/** The folder of the version to deploy: made by an import, imported now, or the bundled model's. */
async function modelFolder(source: string | undefined): Promise<string> {
  if (source === undefined) return (await ensureDefaultModel()).directory;
  if (existsSync(join(source, 'manifest.json'))) return source;
  const request = { ...(await parseModelSource(source)), calibrate: null, sizePx: null };
  return (await ensureRequestedModel(request, process.env, (note) => void process.stderr.write(`${note}\n`))).directory;
}

async function readModel(folder: string): Promise<ModelToDeploy> {
  const manifest = await readFile(join(folder, 'manifest.json'), 'utf8');
  const { name, version } = parseManifest(manifest);
  return { name, version, manifest, read: (path) => readFile(join(folder, path)) };
}

function printPlans(plans: readonly string[] | null): void {
  if (plans === null) process.stdout.write('plan           the token may not read it; Workers Paid is needed\n');
  else
    process.stdout.write(
      `plan           ${plans.length === 0 ? 'no paid plan: Workers Paid is needed' : plans.join(', ')}\n`,
    );
}

/** Shows what would be made and asks; false where nobody can be asked or the answer is no. */
async function confirm(plan: DeployPlan, world: DeployWorld): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write('bit-edge deploy: nobody is there to ask; use --yes, or --dry-run to see the plan\n');
    return false;
  }
  await deploy(plan, world, true);
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await prompt.question(`Do this in account ${world.account.id}? [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}

async function finish({ url, key }: Deployment): Promise<void> {
  process.stdout.write(`ready          ${url}\n`);
  const headers = { 'Content-Type': 'image/png', ...(key === null ? {} : { Authorization: `Bearer ${key}` }) };
  if (key !== null) {
    const response = await fetch(`${url}/v1/classify?top_k=1`, { method: 'POST', headers, body: samplePicture() });
    process.stdout.write(`one picture    HTTP ${response.status} ${(await response.text()).slice(0, 200)}\n`);
  } else
    process.stdout.write(
      'key            the deployment has keys already; another: npm run -s bit-edge -- keys create\n',
    );
  process.stdout.write(COSTS);
}

function fail(error: unknown): number {
  if (!(error instanceof StepError)) {
    process.stderr.write(`bit-edge deploy: ${describeFailure(error)}\n`);
    return 1;
  }
  process.stderr.write(
    `failed         ${error.what}: ${describeFailure(error.cause)}\n` +
      `${error.done.length} steps before it are done. Mend the cause and run the same command again: it goes on here.\n`,
  );
  return 1;
}
