/** A local deployment to measure: the worker in workerd, its log lines, gauges, processor time and memory. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort, LOCAL_HOST, startDevServer } from '../../start/dev-server.ts';
import { connectInspector, type Inspector } from './inspector.ts';

/** Linux counts processor time in ticks of 10 ms. */
const TICK_MS = 10;

/** /metrics waits for nothing: a worker that does not answer it hangs. */
const METRICS_TIMEOUT_MS = 30_000;

/** Milliseconds of the stages of the one model that was loaded. */
export interface LoadStages {
  readonly manifestMs: number;
  /** Files and the start of the runtime, which overlap. */
  readonly filesMs: number;
  readonly sessionMs: number;
}

/** A running worker. */
export interface Deployment {
  readonly url: string;
  /** Connects to the isolate's inspector: only where memory is measured, as it takes over the log. */
  inspect(): Promise<Inspector>;
  /** What the first load took. @throws Error where /metrics is not answered in 30 s. */
  loadStages(): Promise<LoadStages>;
  wasmHeapBytes(): Promise<number>;
  /** Processor time of all of wrangler and workerd so far, in ms; null where the system does not tell. */
  cpuMs(): Promise<number | null>;
  stop(): Promise<void>;
}

/** Starts the worker on the state in `statePath`, with nothing of the models in the colo's cache. */
export async function deploy(statePath: string, variables: Readonly<Record<string, string>> = {}): Promise<Deployment> {
  await rm(join(statePath, 'v3/cache'), { recursive: true, force: true });
  const [port, inspectorPort] = [await findFreePort(), await findFreePort()];
  const server = await startDevServer({
    port,
    inspectorPort,
    statePath,
    variables: { AUTH: 'none', ...variables },
  });
  return {
    url: server.url,
    loadStages: () => readLoadStages(server.url),
    inspect: () => connectInspector(LOCAL_HOST, inspectorPort),
    wasmHeapBytes: () => readMetric(server.url, 'bit_edge_wasm_heap_bytes'),
    cpuMs: () => groupCpuMs(server.pid),
    stop: () => server.stop(),
  };
}

async function readLoadStages(url: string): Promise<LoadStages> {
  const stageMs = async (stage: string): Promise<number> =>
    1000 * (await readMetric(url, `bit_edge_model_load_seconds_sum{stage="${stage}"}`));
  return {
    manifestMs: await stageMs('manifest'),
    filesMs: await stageMs('files'),
    sessionMs: await stageMs('session'),
  };
}

async function readMetric(url: string, series: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(METRICS_TIMEOUT_MS) })).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  if (line === undefined) throw new Error(`/metrics has no ${series}`);
  return Number(line.slice(series.length + 1));
}

/** Sums user and system time over the process group that `pid` leads (proc_pid_stat(5): fields 5, 14 and 15). */
async function groupCpuMs(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  let ticks = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // The name in parentheses may hold blanks: count from behind it, where field 3 comes first.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(fields[2]) === pid) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_MS;
}
