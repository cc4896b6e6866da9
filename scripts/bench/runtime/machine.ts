/** What a result was measured on and with. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

const ROOT = new URL('../../../', import.meta.url);

/** The machine and the versions. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** Of the last minute, before the suite began; cores divided by it is what was left. */
  readonly load_average: number;
  readonly node: string;
  readonly wrangler: string;
  readonly workerd: string;
  readonly onnxruntime_web: string;
  /** Null where it is not installed. */
  readonly onnxruntime_node: string | null;
  /** ISO 8601, when the suite began. */
  readonly measured_at: string;
}

/** Describes this machine now. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    load_average: loadavg()[0] ?? 0,
    node: process.versions.node,
    wrangler: installedVersion('wrangler') ?? 'unknown',
    workerd: installedVersion('workerd') ?? 'unknown',
    onnxruntime_web: installedVersion('onnxruntime-web') ?? 'unknown',
    onnxruntime_node: installedVersion('onnxruntime-node', 'gpu-backend/'),
    measured_at: new Date().toISOString(),
  };
}

function installedVersion(name: string, folder = ''): string | null {
  let text: string;
  try {
    text = readFileSync(new URL(`${folder}node_modules/${name}/package.json`, ROOT), 'utf8');
  } catch {
    return null;
  }
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
