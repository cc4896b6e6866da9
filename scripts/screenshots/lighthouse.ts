/**
 * `npm run lighthouse`: Lighthouse over the console's pages, from a deployment of its own, in Debian's Chromium. Fetched by npx when it is
 * first run, as it is larger than everything else here: 114 packages.
 */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeTemporaryFolder } from '../process/ending.ts';
import { runScript } from '../process/run-script.ts';
import { findFreePort, startDevServer, waitUntilOk } from '../start/dev-server.ts';
import { seedDefaultModel } from '../start/seed.ts';
import { CHROMIUM_PATH, hasChromium } from './browser.ts';

const LIGHTHOUSE = 'lighthouse@13.5.0';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const MAX_REPORT_BYTES = 64 * 1024 * 1024;
const CHROME_FLAGS = '--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update';

const PAGES = ['/', '/teach', '/moderate', '/review', '/webhooks', '/jobs', '/models', '/health', '/docs'];

/** Least scores; performance is that of Lighthouse's throttled laptop, and worth nothing on a busy machine. */
const LEAST = { performance: 0.95, accessibility: 1, 'best-practices': 1 } as const;

const USAGE = `usage: npm run lighthouse [-- PATH ...]

Scores of the console's pages, or of those that are named, under Lighthouse's profile of a throttled laptop. Fails if accessibility or
best practices are below 100 or performance is below 95. Wants a machine that does nothing else.
`;

interface Report {
  readonly categories: Readonly<Record<string, { readonly score: number | null }>>;
  readonly audits: Readonly<Record<string, { readonly displayValue?: string }>>;
}

await runScript({ name: 'lighthouse', usage: USAGE, options: {}, allowPositionals: true }, async (_, paths) => {
  if (!hasChromium()) {
    process.stderr.write(`bit-edge: there is no ${CHROMIUM_PATH}; install Debian's package chromium\n`);
    return 1;
  }
  const state = await makeTemporaryFolder('bit-edge-lighthouse-');
  await seedDefaultModel(state);
  const server = await startDevServer({ port: await findFreePort(), statePath: state });
  let failed = false;
  try {
    await waitUntilOk(`${server.url}/readyz`, READY_TIMEOUT_MS);
    for (const path of paths.length === 0 ? PAGES : paths) {
      const { categories, audits } = await audit(server.url + path, join(state, 'report.json'));
      const scores = Object.entries(LEAST).map(([name, least]) => {
        const score = categories[name]?.score ?? 0;
        failed ||= score < least;
        return `${name} ${Math.round(score * 100)}${score < least ? ' (too low)' : ''}`;
      });
      process.stdout.write(
        `${path.padEnd(10)} ${scores.join(', ')}; interactive ${audits.interactive?.displayValue}\n`,
      );
    }
  } finally {
    await server.stop();
    await rm(state, { recursive: true, force: true });
  }
  return failed ? 1 : 0;
});

async function audit(url: string, path: string): Promise<Report> {
  const args = [
    ...['--yes', LIGHTHOUSE, url, '--preset=desktop', '--quiet', `--chrome-flags=${CHROME_FLAGS}`],
    ...[`--only-categories=${Object.keys(LEAST).join(',')}`, '--output=json', `--output-path=${path}`],
  ];
  const environment = { ...process.env, CHROME_PATH: CHROMIUM_PATH };
  await promisify(execFile)('npx', args, { cwd: ROOT, env: environment, maxBuffer: MAX_REPORT_BYTES });
  return JSON.parse(await readFile(path, 'utf8')) as Report;
}
