/** Gathers what `checks.ts` looks at: this machine, wrangler.toml, the model store, a deployment. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readVerified } from '../../../model-store/load.ts';
import type { ObjectStore } from '../../../model-store/object-store.ts';
import { listAliases, listVersions, readManifest } from '../../../model-store/versions.ts';
import { isExpired } from '../../../worker/auth/api-key.ts';
import { listApiKeys } from '../../../worker/auth/key-store.ts';
import { readConfig } from '../../../worker/config.ts';
import { ModelError } from '../../../worker/errors.ts';
import { modelRoomBytes } from '../../../worker/inference/memory-plan.ts';
import { type EngineChoice, prepareFittingVersion } from '../../../worker/inference/prepare-variant.ts';
import { withEnvironments } from '../deploy/environments.ts';
import { readWranglerConfig } from '../deploy/wrangler-config.ts';
import type { Facts, ModelFacts, ServiceFacts } from './checks.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const REQUEST_TIMEOUT_MS = 10_000;

/** Packages whose version matters. */
const PACKAGES = ['wrangler', 'onnxruntime-web', 'hono'];

/** Where to look. */
export interface Patient {
  /** wrangler.toml. */
  readonly configPath: string;
  readonly environment: string | null;
  /** Address of a deployment; null for none. */
  readonly url: string | null;
  /** True where keys are asked for: not on this machine. */
  readonly needsKeys: boolean;
}

/**
 * Gathers the facts.
 * @throws ConfigurationError for a variable of wrangler.toml that cannot be.
 */
export async function gather(patient: Patient, store: ObjectStore): Promise<Facts> {
  const { configPath, environment, url, needsKeys } = patient;
  const config = readWranglerConfig(configPath, environment);
  const settings = readConfig(config.vars);
  const text = await readFile(configPath, 'utf8');
  const defaultModel = { name: settings.defaultModel, reference: settings.defaultModelVersion };
  return {
    nodeVersion: process.versions.node,
    packages: await Promise.all(PACKAGES.map(packageFacts)),
    config,
    environmentsMatch: withEnvironments(text) === text,
    models: await modelFacts(store),
    defaultModel,
    memoryProblem: await memoryProblem(store, defaultModel, settings.memoryBudgetBytes, settings.inferenceEngine),
    keys: needsKeys && settings.authMode === 'keys' ? await keyFacts(store) : null,
    service: url === null ? null : await serviceFacts(url),
  };
}

async function packageFacts(name: string): Promise<Facts['packages'][number]> {
  const own = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8')) as Record<string, Record<string, string>>;
  const wanted = own.dependencies?.[name] ?? own.devDependencies?.[name] ?? 'nothing';
  const installed = await readFile(`${ROOT}node_modules/${name}/package.json`, 'utf8').then(
    (text) => (JSON.parse(text) as { readonly version: string }).version,
    () => null,
  );
  return { name, wanted, installed };
}

async function modelFacts(store: ObjectStore): Promise<ModelFacts[]> {
  const versions = await listVersions(store);
  const names = [...new Set(versions.map(({ name }) => name))];
  return Promise.all(
    names.map(async (name) => ({
      name,
      aliases: [...(await listAliases(store, name))].map(([alias, { version }]) => ({
        alias,
        version,
        isWhole: versions.some((each) => each.name === name && each.version === version && each.complete),
      })),
    })),
  );
}

async function memoryProblem(
  store: ObjectStore,
  { name, reference }: Facts['defaultModel'],
  budgetBytes: number,
  engine: EngineChoice,
): Promise<string | null> {
  try {
    const version = (await listAliases(store, name)).get(reference)?.version ?? reference;
    const manifest = await readManifest(store, name, version);
    const { model } = manifest.variants[manifest.default_variant]!;
    await prepareFittingVersion(manifest, engine, modelRoomBytes(budgetBytes), () =>
      readVerified(store, manifest, model),
    );
    return null;
  } catch (error) {
    if (error instanceof ModelError) return error.code === 'model_not_found' ? null : error.message;
    throw error;
  }
}

async function keyFacts(store: ObjectStore): Promise<NonNullable<Facts['keys']>> {
  const keys = await listApiKeys(store);
  return { all: keys.length, valid: keys.filter((key) => !isExpired(key, Date.now())).length };
}

async function serviceFacts(url: string): Promise<ServiceFacts> {
  const health = await ask(`${url}/healthz`);
  const ready = await ask(`${url}/readyz`);
  const date = Date.parse(health?.response.headers.get('Date') ?? '');
  return {
    url,
    health: health?.response.status ?? null,
    ready: ready === null ? null : { status: ready.response.status, body: ready.body },
    clockSkewMs: Number.isNaN(date) ? null : date - Date.now(),
  };
}

async function ask(url: string): Promise<{ readonly response: Response; readonly body: string } | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    return { response, body: await response.text() };
  } catch {
    // Nothing listens there, or not in time: the check says so.
    return null;
  }
}
