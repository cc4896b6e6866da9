/** A local deployment: `wrangler dev` as a child process, with its own port and state folder. For `npm start`, tests and benchmarks. */
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onEnding } from '../process/ending.ts';
import { signalGroup, spawnGuarded } from '../process/guarded-child.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;
const POLL_MS = 100;

/** The address that local servers listen on. */
export const LOCAL_HOST = '127.0.0.1';

/** How a local deployment is started. */
export interface DevServerOptions {
  readonly port: number;
  /** Folder of R2, Durable Objects and queues; shared with `scripts/cli/store`. */
  readonly statePath: string;
  /** wrangler.toml of workers to run in one session, the first of them answering; below the project's root. Default: ours. */
  readonly configPaths?: readonly string[];
  /** Variables over those of wrangler.toml. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Port of the inspector (Chrome DevTools Protocol). Default: any that is free. */
  readonly inspectorPort?: number;
  /** Told of every line that the server prints. */
  onLine?(line: string): void;
}

/** A running local deployment. */
export interface DevServer {
  readonly url: string;
  /** Of the process group's head; wrangler and workerd are its descendants. */
  readonly pid: number;
  /** Resolves once the process has ended, with its exit code (null: ended by a signal). */
  readonly exited: Promise<number | null>;
  /** Asks it to end, and kills what is left after 5 s. */
  stop(): Promise<void>;
  /** SIGKILL for every process of it, at once. */
  kill(): Promise<void>;
}

/** True where nothing listens on `port` of the loopback address. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, LOCAL_HOST, () => probe.close(() => resolve(true)));
  });
}

/** A port that is free now. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, LOCAL_HOST, () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

/** `INFERENCE_ENGINE` of this process, where it is set: who runs models is worth trying without an edit of wrangler.toml. */
function inferenceEngine(): Readonly<Record<string, string>> {
  const { INFERENCE_ENGINE } = process.env;
  return INFERENCE_ENGINE === undefined ? {} : { INFERENCE_ENGINE };
}

/**
 * Starts a local deployment and waits until it answers `GET /healthz`.
 * @throws Error with the last lines it printed, where it ends or does not answer within 60 s.
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const lines: string[] = [];
  const child = spawnGuarded(
    [
      `${ROOT}node_modules/wrangler/bin/wrangler.js`,
      'dev',
      `--ip=${LOCAL_HOST}`,
      `--port=${options.port}`,
      `--inspector-port=${options.inspectorPort ?? 0}`,
      `--persist-to=${options.statePath}`,
      ...(options.configPaths ?? []).map((path) => `--config=${ROOT}${path}`),
      '--show-interactive-dev-session=false',
      ...Object.entries({ LOCAL_DEVELOPMENT: 'true', ...inferenceEngine(), ...options.variables }).map(
        ([name, value]) => `--var=${name}:${value}`,
      ),
    ],
    {
      cwd: ROOT,
      output: 'pipe',
      env: {
        ...process.env,
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        WRANGLER_SEND_METRICS: 'false',
        WRANGLER_HIDE_BANNER: 'true',
        NO_COLOR: '1',
      },
    },
  );
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > 50) lines.shift();
      options.onLine?.(line);
    });
  }
  let ended = false;
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      ended = true;
      forget();
      resolve(code);
    });
  });
  const server: DevServer = {
    url: `http://${LOCAL_HOST}:${options.port}`,
    pid: child.pid ?? 0,
    exited,
    async stop() {
      signalGroup(child, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
      signalGroup(child, 'SIGKILL');
    },
    async kill() {
      signalGroup(child, 'SIGKILL');
      await exited;
    },
  };
  const forget = onEnding(() => server.stop());
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(`${server.url}/healthz`))) {
    if (ended || Date.now() > deadline) {
      await server.kill();
      throw new Error(`wrangler dev did not start:\n${lines.join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return server;
}

/** Polls `url` until it answers 2xx. @throws Error after `timeoutMs`, with the last answer. */
export async function waitUntilOk(url: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let last = 'no answer';
  while (Date.now() < deadline) {
    try {
      const response = await fetch(url);
      if (response.ok) return;
      last = `${response.status} ${await response.text()}`;
    } catch (error) {
      last = String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${url} was not ready after ${timeoutMs / 1000} s: ${last}`);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
