/** A local deployment for the console's tests: the default model, and a second version of it whose labels are hostile. Node only. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseManifest } from '../../model-store/manifest.ts';
import { publishVersion } from '../../model-store/publish.ts';
import { ensureDefaultModel } from '../../scripts/cli/default-model.ts';
import { withStore } from '../../scripts/cli/store/open-store.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../../scripts/start/dev-server.ts';
import { seedDefaultModel } from '../../scripts/start/seed.ts';

/** The second version. */
export const HOSTILE_VERSION = 'hostile';

/** What its labels begin with: were it HTML, it would run a script and say so in the title. */
export const HOSTILE_LABEL = '<img src=x onerror="document.title=`owned`"><b>label</b>';

/** A running deployment. */
export interface ConsoleDeployment {
  readonly url: string;
  readonly statePath: string;
  /** `name@version` of the default model. */
  readonly model: { readonly name: string; readonly version: string };
  stop(): Promise<void>;
}

/** How it is started. */
export interface ConsoleDeploymentOptions {
  /** Over those of wrangler.toml. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Called with the state folder before the deployment is started. */
  prepare?(statePath: string): Promise<void>;
}

/** Starts it on a free port. */
export async function startConsoleDeployment({
  variables = {},
  prepare,
}: ConsoleDeploymentOptions): Promise<ConsoleDeployment> {
  const statePath = await mkdtemp(join(tmpdir(), 'bit-edge-console-'));
  let server: DevServer | null = null;
  const stop = async (): Promise<void> => {
    await server?.stop();
    await rm(statePath, { recursive: true, force: true });
  };
  try {
    const { name, version } = await seedDefaultModel(statePath);
    await publishHostileVersion(statePath);
    await prepare?.(statePath);
    server = await startDevServer({ port: await findFreePort(), statePath, variables });
    await waitUntilOk(`${server.url}/readyz`, 60_000);
    return { url: server.url, statePath, model: { name, version }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The default model's files with other labels: it answers the same, under other names. */
async function publishHostileVersion(statePath: string): Promise<void> {
  const { directory } = await ensureDefaultModel();
  const manifest = parseManifest(await readFile(join(directory, 'manifest.json'), 'utf8'));
  const labels = JSON.parse(await readFile(join(directory, manifest.labels.path), 'utf8')) as string[];
  const hostile = Buffer.from(JSON.stringify(labels.map((label) => `${HOSTILE_LABEL} ${label}`)));
  const sha256 = createHash('sha256').update(hostile).digest('hex');
  const text = JSON.stringify({
    ...manifest,
    version: HOSTILE_VERSION,
    labels: { ...manifest.labels, bytes: hostile.byteLength, sha256 },
  });
  await withStore({ persistPath: join(statePath, 'v3') }, ({ store }) =>
    publishVersion(store, {
      manifest: text,
      read: (path) => (path === manifest.labels.path ? Promise.resolve(hostile) : readFile(join(directory, path))),
    }),
  );
}
