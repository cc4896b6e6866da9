/** Whatever ends a command, nothing that it started stays behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { findFreePort } from '../../scripts/start/dev-server.ts';
import { MARK, markedProcesses } from '../support/marked-processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WAIT = { timeout: 90_000, interval: 100 };

interface Marked {
  readonly child: ChildProcess;
  readonly mark: string;
  output(): string;
}

/** Runs a line of shell, whose processes can be found again. */
function shell(line: string): Marked {
  const mark = randomUUID();
  // "exec": the process that is signalled below is npm.
  const child = spawn('sh', ['-c', line], { cwd: ROOT, detached: true, env: { ...process.env, [MARK]: mark } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  return { child, mark, output: () => text };
}

async function expectNothingLeft(mark: string): Promise<void> {
  await expect.poll(() => markedProcesses(mark), WAIT).toEqual([]);
}

it('npm start: SIGTERM to npm ends the server and workerd', async () => {
  const state = await mkdtemp(join(tmpdir(), 'bit-edge-endings-'));
  const { child, mark, output } = shell(`exec npm start -s -- --port ${await findFreePort()} --state ${state}`);
  await expect.poll(output, WAIT).toMatch(/^docs .*\/docs$/m);
  expect(markedProcesses(mark).join('\n')).toContain('workerd');
  child.kill('SIGTERM');
  await expectNothingLeft(mark);
  await rm(state, { recursive: true, force: true });
});

it('npm run demo:moderation | head -1: ends with its reader', async () => {
  const { mark, output } = shell('npm run -s demo:moderation | head -1');
  await expect.poll(output, WAIT).toMatch(/published/);
  await expectNothingLeft(mark);
  expect(output().trim().split('\n')).toHaveLength(1);
});

it('npm run soak: SIGTERM to npm ends the server and workerd', async () => {
  const { child, mark, output } = shell('exec npm run -s soak -- --webhooks 2000');
  await expect.poll(output, WAIT).toMatch(/^started /m);
  child.kill('SIGTERM');
  await expectNothingLeft(mark);
  expect(output()).not.toMatch(/\bat .+:\d+:\d+/);
});

it('npm start: SIGKILL of every process but the children ends the children', async () => {
  const state = await mkdtemp(join(tmpdir(), 'bit-edge-endings-'));
  const { child, mark, output } = shell(`npm start -s -- --port ${await findFreePort()} --state ${state}`);
  await expect.poll(output, WAIT).toMatch(/^docs /m);
  process.kill(-child.pid!, 'SIGKILL');
  await expectNothingLeft(mark);
  await rm(state, { recursive: true, force: true });
});
