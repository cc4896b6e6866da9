/** The GPU backend as a process that a soak can kill and start again on the same port. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { signalGroup, spawnGuarded } from '../process/guarded-child.ts';
import { waitUntilOk } from '../start/dev-server.ts';

const MAIN = fileURLToPath(new URL('../../gpu-backend/main.ts', import.meta.url));
const READY_TIMEOUT_MS = 120_000;

export class GpuProcess {
  readonly url: string;
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | null = null;

  /** @param store folder that holds `models/`. */
  constructor(port: number, store: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#environment = { GPU_PORT: String(port), GPU_STORE: store, GPU_PROVIDERS: 'cpu', GPU_POLL_S: '0' };
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    this.#child = spawnGuarded([MAIN], {
      env: { PATH: process.env.PATH, ...this.#environment },
      output: 'ignore',
    });
    await waitUntilOk(`${this.url}/v2/health/ready`, READY_TIMEOUT_MS);
  }

  /** SIGKILL: whatever it was answering is lost. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    signalGroup(child, 'SIGKILL');
    await once(child, 'exit');
  }
}
