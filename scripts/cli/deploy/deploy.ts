/** From an empty account to a serving deployment. Everything outside is handed in, so that tests can break each part of it. */
import type { ObjectStore } from '../../../model-store/object-store.ts';
import { publishVersion } from '../../../model-store/publish.ts';
import { moveAlias, resolveAlias } from '../../../model-store/versions.ts';
import { KEY_RANDOM_BYTES, mintApiKey, SCOPES } from '../../../worker/auth/api-key.ts';
import { listApiKeys, putApiKey } from '../../../worker/auth/key-store.ts';
import type { Account } from './account.ts';
import { readDeployment, writeDeployment } from './deployment-record.ts';
import { type Outcome, resourceSteps, runSteps, type Step } from './steps.ts';
import type { WranglerConfig } from './wrangler-config.ts';
import type { DeployArguments } from './wrangler-run.ts';

/** The alias that a deployment answers with. */
const ALIAS = 'latest';

const READY_TIMEOUT_MS = 180_000;
const READY_POLL_MS = 2000;

/** A version's folder, as `bit-edge import` leaves it. */
export interface ModelToDeploy {
  readonly name: string;
  readonly version: string;
  /** `manifest.json`. */
  readonly manifest: string;
  read(path: string): Promise<Uint8Array>;
}

/** What is to be deployed. */
export interface DeployPlan {
  readonly config: WranglerConfig;
  readonly configPath: string;
  readonly environment: string | null;
  readonly model: ModelToDeploy;
  /** Prefix of uploads that are moderated; null for no event notifications. */
  readonly uploadPrefix: string | null;
  readonly secretsFile: string | null;
}

/** What deploying does things with. */
export interface DeployWorld {
  readonly account: Account;
  /** The models bucket, which must be there. */
  withModels<T>(use: (store: ObjectStore) => Promise<T>): Promise<T>;
  /** SHA-256 over everything that `wrangler deploy` would upload. */
  buildHash(): Promise<string>;
  deploy(args: DeployArguments): Promise<readonly string[]>;
  fetch(url: string, init?: RequestInit): Promise<Response>;
  sleep(ms: number): Promise<void>;
  now(): number;
  random(bytes: number): Uint8Array;
  report(what: string, outcome: Outcome): void;
  /** Told of the first key as soon as it counts: it cannot be read again. */
  showKey(token: string): void;
}

/** A deployment that answers. */
export interface Deployment {
  readonly url: string;
  /** The first key, printed this once; null where the deployment had keys. */
  readonly key: string | null;
}

/** Results that steps leave for the end. */
interface Results {
  url: string | null;
  key: string | null;
}

/**
 * Deploys. Safe to repeat: only what is missing or differs is made.
 * @returns null in a dry run.
 * @throws StepError naming the step that failed and those that are done; Error where the deployment does not become ready.
 */
export async function deploy(plan: DeployPlan, world: DeployWorld, dryRun: boolean): Promise<Deployment | null> {
  const results: Results = { url: null, key: null };
  const steps = [
    ...resourceSteps(world.account, plan.config, plan.uploadPrefix),
    modelStep(plan, world),
    keyStep(plan, world, results),
    workerStep(plan, world, results),
  ];
  await runSteps(steps, world.report, dryRun);
  if (dryRun) return null;
  if (results.url === null) throw new Error('wrangler named no address; add a route or workers_dev to wrangler.toml');
  await waitUntilReady(results.url, world);
  return { url: results.url, key: results.key };
}

/** True once the models bucket is there: in a dry run an earlier step has not made it. */
function hasModelsBucket({ config }: DeployPlan, { account }: DeployWorld): Promise<boolean> {
  const bucket = config.r2_buckets.find(({ binding }) => binding === 'MODELS')?.bucket_name;
  if (bucket === undefined) throw new Error('wrangler.toml binds no bucket as MODELS');
  return account.hasBucket(bucket);
}

function modelStep(plan: DeployPlan, world: DeployWorld): Step {
  const { name, version, manifest, read } = plan.model;
  return {
    what: `model ${name}@${version} as ${name}@${ALIAS}`,
    async isDone() {
      if (!(await hasModelsBucket(plan, world))) return false;
      return world.withModels(async (store) => (await resolveAlias(store, name, ALIAS))?.version === version);
    },
    make: () =>
      world.withModels(async (store) => {
        await publishVersion(store, { manifest, read });
        await moveAlias(store, name, ALIAS, version, new Date(world.now()).toISOString());
      }),
  };
}

function keyStep(plan: DeployPlan, world: DeployWorld, results: Results): Step {
  return {
    what: 'a first API key',
    async isDone() {
      if (!(await hasModelsBucket(plan, world))) return false;
      return world.withModels(async (store) => (await listApiKeys(store)).length > 0);
    },
    make: () =>
      world.withModels(async (store) => {
        const createdAt = new Date(world.now()).toISOString();
        const key = { name: 'first', scopes: [...SCOPES], rateTier: 'standard', createdAt, expiresAt: null } as const;
        const { token, record } = await mintApiKey(key, world.random(KEY_RANDOM_BYTES));
        await putApiKey(store, record);
        results.key = token;
        world.showKey(token);
      }),
  };
}

function workerStep(plan: DeployPlan, world: DeployWorld, results: Results): Step {
  const variables = { DEFAULT_MODEL: plan.model.name };
  const build = async (): Promise<string> => `${await world.buildHash()} ${plan.model.name}`;
  return {
    what: `worker ${plan.config.name ?? 'bit-edge'}`,
    async isDone() {
      if (plan.secretsFile !== null || !(await hasModelsBucket(plan, world))) return false;
      const last = await world.withModels(readDeployment);
      if (last === null || last.build !== (await build())) return false;
      results.url = last.url;
      return true;
    },
    async make() {
      const { configPath, environment, secretsFile, model } = plan;
      const message = `bit-edge ${model.name}@${model.version}`;
      const [target] = await world.deploy({ configPath, environment, variables, secretsFile, message });
      if (target === undefined) return;
      const url = target.startsWith('http') ? target : `https://${target}`;
      results.url = url;
      const record = { build: await build(), url, deployed_at: new Date(world.now()).toISOString() };
      await world.withModels((store) => writeDeployment(store, record));
    },
  };
}

async function waitUntilReady(url: string, { fetch, sleep, now }: DeployWorld): Promise<void> {
  const deadline = now() + READY_TIMEOUT_MS;
  for (;;) {
    const reason = await fetch(`${url}/readyz`).then(
      async (response) => (response.ok ? null : `HTTP ${response.status} ${await response.text()}`),
      (error: unknown) => String(error),
    );
    if (reason === null) return;
    if (now() > deadline) throw new Error(`${url}/readyz was not 200 after ${READY_TIMEOUT_MS / 1000} s: ${reason}`);
    await sleep(READY_POLL_MS);
  }
}
