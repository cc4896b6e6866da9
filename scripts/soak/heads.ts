/**
 * `npm run soak -- --heads 200`: so many concurrent additions to one head while the worker is killed between them; every request
 * is repeated until it is answered. Then: no example lost, none doubled, and the version is the one that these examples give. The
 * same for pictures that are embedded behind a 202.
 */
import { rm } from 'node:fs/promises';
import { makeTemporaryFolder } from '../process/ending.ts';
import { type DevServer, findFreePort, startDevServer, waitUntilOk } from '../start/dev-server.ts';
import { seedDefaultModel } from '../start/seed.ts';
import { type PicturesSoak, soakPictures } from './heads-pictures.ts';

const DIMENSIONS = 1024;
const CLASSES = 8;
const KILLS = 3;
const AT_A_TIME = 16;
const READY_TIMEOUT_MS = 120_000;
const RETRY_MS = 300;
const MAX_TRIES = 200;

interface Head {
  readonly state: string;
  readonly examples: { readonly pending: number; readonly ready: number; readonly failed: number };
  readonly aliases: Readonly<Record<string, string>>;
  readonly versions: readonly { readonly version: string; readonly examples: number }[];
}

/** What came of it. */
export interface HeadsSoak {
  readonly additions: number;
  readonly kills: number;
  readonly repeated: number;
  readonly lost: number;
  readonly doubled: number;
  /** Versions whose number of examples is not what their training saw, and a last one that differs from one trained at once. */
  readonly inconsistent: number;
  readonly pictures: PicturesSoak;
}

/** Runs the soak. */
export async function soakHeads(
  additions: number,
  say: (line: string) => void,
): Promise<{ report: HeadsSoak; problems: string[] }> {
  const state = await makeTemporaryFolder('bit-edge-soak-heads-');
  const port = await findFreePort();
  const start = async (): Promise<DevServer> => {
    const started = await startDevServer({ port, statePath: state, variables: { HEAD_DEBOUNCE_MS: '50' } });
    await waitUntilOk(`${started.url}/readyz`, READY_TIMEOUT_MS);
    return started;
  };
  await seedDefaultModel(state);
  let server = await start();
  let repeated = 0;
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      try {
        const response = await fetch(`${server.url}${path}`, {
          method,
          ...(body instanceof FormData
            ? // A repeated request goes on where the first one ended.
              { body, headers: { 'idempotency-key': path } }
            : body === undefined
              ? {}
              : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        });
        if (response.ok) return (await response.json()) as T;
        if (response.status < 500)
          throw new TypeError(`${method} ${path}: ${response.status} ${await response.text()}`);
      } catch (error) {
        // A refusal is a defect; what was cut off is repeated.
        if (error instanceof TypeError && !/fetch failed|terminated/.test(error.message)) throw error;
      }
      repeated++;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    throw new Error(`${method} ${path} was never answered`);
  };
  try {
    const first = Array.from({ length: CLASSES }, (_, i) => addition(i));
    await call('POST', '/v1/heads', { name: 'soak', classes: first });
    const queue = Array.from({ length: additions }, (_, i) => addition(CLASSES + i));
    let done = 0;
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        await call('POST', '/v1/heads/soak/examples', { classes: [next] });
        done++;
      }
    };
    const workers = Array.from({ length: AT_A_TIME }, work);
    for (let kill = 1; kill <= KILLS; kill++) {
      while (done < (kill * additions) / (KILLS + 1)) await new Promise((resolve) => setTimeout(resolve, 20));
      await server.kill();
      say(`killed   after ${done} of ${additions} additions`);
      server = await start();
    }
    await Promise.all(workers);
    let head = await call<Head>('GET', '/v1/heads/soak');
    while (head.state !== 'ready') {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      head = await call<Head>('GET', '/v1/heads/soak');
    }
    const stored = head.examples.ready + head.examples.pending + head.examples.failed;
    const expected = CLASSES + additions;
    const all = Array.from({ length: expected }, (_, i) => addition(i));
    const whole = await call<Head>('POST', '/v1/heads', { name: 'whole', classes: all });
    const newest = head.versions[0]!;
    const isWhole = newest.version === whole.versions[0]!.version && head.aliases.latest === newest.version;
    say(`head     ${stored} examples, ${head.versions.length} versions, latest ${head.aliases.latest}`);
    const pictures = await soakPictures({
      url: () => server.url,
      call,
      say,
      async restart() {
        await server.kill();
        server = await start();
      },
    });
    const report: HeadsSoak = {
      pictures,
      additions,
      kills: KILLS,
      repeated,
      lost: Math.max(0, expected - stored),
      doubled: Math.max(0, stored - expected),
      inconsistent: isWhole && newest.examples === stored ? 0 : 1,
    };
    const problems = [
      ...(report.lost > 0 ? [`${report.lost} examples are lost`] : []),
      ...(report.doubled > 0 ? [`${report.doubled} examples are there twice`] : []),
      ...(report.inconsistent > 0 ? ['the version is not the one that its examples give'] : []),
      ...(pictures.lost > 0 ? [`${pictures.lost} pictures are lost`] : []),
      ...(pictures.doubled > 0 ? [`${pictures.doubled} pictures are there twice`] : []),
      ...(pictures.failed > 0 ? [`${pictures.failed} pictures failed`] : []),
      ...(pictures.inconsistent > 0 ? ['the version is not the one that its pictures give'] : []),
    ];
    return { report, problems };
  } finally {
    await server.stop();
    await rm(state, { recursive: true, force: true });
  }
}

/** One example, like no other. */
function addition(index: number): { label: string; embeddings: number[][] } {
  const corner = index % CLASSES;
  const embedding = Array.from({ length: DIMENSIONS }, (_, d) =>
    d === corner ? 1 : 0.05 * Math.sin(1 + index * 7919 + d),
  );
  return { label: `class ${corner}`, embeddings: [embedding] };
}
