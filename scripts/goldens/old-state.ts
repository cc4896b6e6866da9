/**
 * The databases of Durable Objects as the code of an earlier commit left them: `node scripts/goldens/old-state.ts COMMIT OUT`. A worker of
 * that commit, in a work tree of its own, takes a webhook whose image and receiver are away, judges an image for a key, and finishes
 * a job; then its databases are copied, each in one file. test/e2e/migration.test.ts starts today's worker on them.
 */
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as DevServers from '../start/dev-server.ts';
import type * as Seeds from '../start/seed.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const [commit, out] = process.argv.slice(2);
if (commit === undefined || out === undefined) throw new Error('usage: old-state.ts COMMIT OUT');

/** Nobody listens there, so the event stays in work. */
const AWAY = 'http://127.0.0.1:9';
const SECRET = Buffer.from('bit-edge, an earlier release').toString('base64');
const MODERATION = {
  sources: [{ name: 'shop', secrets: [`whsec_${SECRET}`], receivers: ['all'] }],
  receivers: [{ name: 'all', url: `${AWAY}/hooks/`, secrets: [`whsec_${SECRET}`] }],
};

const tree = mkdtempSync(join(tmpdir(), 'bit-edge-old-'));
const state = join(tree, 'state');
execFileSync('git', ['worktree', 'add', '--detach', '--force', tree, commit], { cwd: ROOT, stdio: 'ignore' });
symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
try {
  // The release of 2026-11-23 has these files in scripts/ itself.
  const folder = existsSync(join(tree, 'scripts/start/dev-server.ts')) ? 'scripts/start' : 'scripts';
  const load = (name: string): Promise<unknown> => import(pathToFileURL(join(tree, folder, name)).href);
  const { startDevServer, findFreePort } = (await load('dev-server.ts')) as typeof DevServers;
  const { seedDefaultModel } = (await load('seed.ts')) as typeof Seeds;
  await seedDefaultModel(state);
  const variables = {
    FETCH_EXEMPT_ORIGINS: AWAY,
    MODERATION: JSON.stringify(MODERATION),
    JOB_TICK_MS: '200',
    // Ten years: the job must still be there when the test is run.
    JOB_RETENTION_HOURS: '87600',
  };
  const server = await startDevServer({ port: await findFreePort(), statePath: state, variables });
  try {
    await fill(server.url);
  } finally {
    await server.stop();
  }
  keep(join(state, 'v3/do'), resolve(out));
} finally {
  execFileSync('git', ['worktree', 'remove', '--force', tree], { cwd: ROOT });
}

async function fill(url: string): Promise<void> {
  const items = [{ id: 'upload-1', url: `${AWAY}/photo.jpg`, metadata: { user: 7 } }];
  const body = JSON.stringify(items);
  const timestamp = Math.floor(Date.now() / 1000);
  const signed = createHmac('sha256', Buffer.from(SECRET, 'base64'))
    .update(`msg_old.${timestamp}.${body}`)
    .digest('base64');
  const accepted = await call(`${url}/v1/webhooks/images`, body, {
    'webhook-id': 'msg_old',
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signed}`,
  });
  const picture = readFileSync(join(ROOT, 'examples/lemon.png'));
  const decision = await call(`${url}/v1/moderate?id=old-image`, picture);
  const inputs = [{ r2: 'uploads/missing-1.png', id: 'first' }, { r2: 'uploads/missing-2.png' }];
  const job = (await call(`${url}/v1/jobs`, JSON.stringify({ inputs }))) as { id: string };
  let status: unknown;
  do {
    await new Promise((next) => setTimeout(next, 200));
    status = await (await fetch(`${url}/v1/jobs/${job.id}`)).json();
  } while ((status as { state: string }).state !== 'completed');
  const facts = { commit, accepted, decision, job: status };
  rmSync(resolve(out!), { recursive: true, force: true });
  mkdirSync(resolve(out!), { recursive: true });
  writeFileSync(join(resolve(out!), 'facts.json'), `${JSON.stringify(facts, null, 2)}\n`);
}

async function call(url: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<unknown> {
  const type = typeof body === 'string' ? 'application/json' : 'image/png';
  const response = await fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: { 'content-type': type, ...headers },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

/** Copies databases, with what is still in their logs. */
function keep(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  for (const name of readdirSync(to, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.sqlite')) continue;
    const database = new DatabaseSync(join(to, name));
    database.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; VACUUM;');
    database.close();
    process.stdout.write(`${name}\n`);
  }
  for (const name of readdirSync(to, { recursive: true, encoding: 'utf8' })) {
    if (/\.sqlite-(wal|shm)$/.test(name)) rmSync(join(to, name));
  }
}
