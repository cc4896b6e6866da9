/** wrangler as a child process: the login it has, and deploying. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const WRANGLER = `${ROOT}node_modules/wrangler/bin/wrangler.js`;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

const run = promisify(execFile);

/** What `wrangler deploy` is told. */
export interface DeployArguments {
  readonly configPath: string;
  /** Null: the top level of the configuration. */
  readonly environment: string | null;
  readonly variables: Readonly<Record<string, string>>;
  /** JSON or .env file of secrets; null for none. */
  readonly secretsFile: string | null;
  readonly message: string;
}

/** wrangler's commands that a deployment uses. */
export interface Wrangler {
  /** The token of the login: `CLOUDFLARE_API_TOKEN`, or that of `wrangler login`. @throws Error where there is none. */
  token(): Promise<string>;
  /** Bundles without deploying, into a folder. */
  bundle(configPath: string, environment: string | null, folder: string): Promise<void>;
  /** Deploys; gives the addresses that the worker answers at. */
  deploy(args: DeployArguments): Promise<readonly string[]>;
  /** Deletes the worker; one that is not there is no failure. */
  delete(configPath: string, environment: string | null): Promise<void>;
}

/** The arguments of `wrangler deploy`. */
export function deployArguments(args: DeployArguments): string[] {
  const { configPath, environment, variables, secretsFile, message } = args;
  return [
    'deploy',
    `--config=${configPath}`,
    `--env=${environment ?? ''}`,
    '--keep-vars',
    `--message=${message}`,
    ...(secretsFile === null ? [] : [`--secrets-file=${secretsFile}`]),
    ...Object.entries(variables).map(([name, value]) => `--var=${name}:${value}`),
  ];
}

/** The wrangler that this project depends on. */
export const installedWrangler: Wrangler = {
  async token() {
    const { stdout } = await wrangler(['auth', 'token', '--json']);
    const answer = JSON.parse(stdout) as { readonly token?: string };
    if (typeof answer.token === 'string' && answer.token !== '') return answer.token;
    throw new Error('wrangler has no API token; run "npx wrangler login" or set CLOUDFLARE_API_TOKEN');
  },
  async bundle(configPath, environment, folder) {
    await wrangler([
      'deploy',
      `--config=${configPath}`,
      `--env=${environment ?? ''}`,
      '--dry-run',
      `--outdir=${folder}`,
    ]);
  },
  async deploy(args) {
    const folder = await mkdtemp(join(tmpdir(), 'bit-edge-deploy-'));
    try {
      const output = join(folder, 'output.ndjson');
      await wrangler(deployArguments(args), { WRANGLER_OUTPUT_FILE_PATH: output });
      return deployTargets(await readFile(output, 'utf8'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  async delete(configPath, environment) {
    try {
      await wrangler(['delete', `--config=${configPath}`, `--env=${environment ?? ''}`, '--force']);
    } catch (error) {
      // 10007: this worker does not exist on the account.
      if (!(error instanceof Error && error.message.includes('10007'))) throw error;
    }
  },
};

/**
 * The addresses in wrangler's output file, one JSON object per line.
 * https://developers.cloudflare.com/workers/wrangler/system-environment-variables/ (WRANGLER_OUTPUT_FILE_PATH)
 */
export function deployTargets(ndjson: string): readonly string[] {
  for (const line of ndjson.split('\n').filter((each) => each.trim() !== '')) {
    const entry = JSON.parse(line) as { readonly type?: string; readonly targets?: readonly string[] };
    if (entry.type !== 'deploy') continue;
    return (entry.targets ?? []).filter((target) => target.includes('.') && !target.includes(' '));
  }
  return [];
}

/** @throws Error with what wrangler printed last, where it fails. */
async function wrangler(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ stdout: string }> {
  try {
    return await run(process.execPath, [WRANGLER, ...args], {
      cwd: ROOT,
      maxBuffer: MAX_OUTPUT_BYTES,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', NO_COLOR: '1', ...env },
    });
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`wrangler ${args[0]} failed: ${output.split('\n').slice(-12).join('\n')}`, { cause: error });
  }
}
