/** `npm run gpu -- work`: flags and environment in, signals and exit codes out. See docs/gpu-backend.md. */
import { parseArgs } from 'node:util';
import { ConfigurationError } from '../../worker/errors.ts';
import { readConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { KeyRefused } from './deployment.ts';
import { work } from './start-work.ts';

const MIB = 1024 * 1024;

const USAGE = `usage: npm run gpu -- work --url https://DEPLOYMENT [--key bek_...] [--port N] [--memory MIB]

Pulls chunks of bulk jobs from a deployment, answers them on this machine's GPU, and reports. Needs no open port.
--url      the deployment. Default: the variable BIT_EDGE_URL.
--key      an API key with the scope "work". Default: the variable BIT_EDGE_API_KEY. A local deployment without keys needs none.
--port     serves /healthz and /metrics there. Default: not served.
--memory   MiB that images may take while they are read, decoded and run. Default: 1024.
GPU_PROVIDERS, GPU_THREADS, GPU_MAX_BATCH, GPU_CACHE_DIR and GPU_LOG_LEVEL mean what they mean for the backend: docs/gpu-backend.md.
SIGTERM: what is under way is finished and reported, the rest given back. Exit codes: 0 stopped, 1 refused, 2 wrong usage.
`;

/** Runs the worker. @returns the exit code. */
export async function runWork(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      key: { type: 'string' },
      port: { type: 'string' },
      memory: { type: 'string', default: '1024' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const url = values.url ?? env.BIT_EDGE_URL ?? '';
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new ConfigurationError(`--url: "${url}" is no http(s) address`);
  }
  // The backend's own settings; its store is not used.
  const config = readConfig({ ...env, GPU_STORE: 'none', GPU_HOST: '127.0.0.1' });
  const log = createLog(
    config.logLevel,
    () => new Date(),
    (line) => void process.stdout.write(line),
  );
  const stop = new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  try {
    return await work(
      {
        url: url.replace(/\/+$/, ''),
        key: values.key ?? env.BIT_EDGE_API_KEY ?? null,
        port: values.port === undefined ? null : integer('--port', values.port, 0, 65_535),
        host: env.GPU_HOST || '127.0.0.1',
        memoryBytes: integer('--memory', values.memory, 16, 1_048_576) * MIB,
        providers: config.providers,
        threads: config.threads,
        maxBatch: config.batch.maxBatch,
        cacheDirectory: env.GPU_CACHE_DIR || '.bit-edge-gpu-cache',
      },
      log,
      stop,
    );
  } catch (error) {
    if (!(error instanceof KeyRefused)) throw error;
    log('error', 'key_refused', { error });
    return 1;
  }
}

function integer(name: string, text: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new ConfigurationError(`${name}: "${text}" is no whole number from ${least} to ${most}`);
}
