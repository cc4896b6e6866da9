import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

it('takes an upload to its verdict, its signed callback and its quarantine in one command', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '-s', 'demo:moderation'], { cwd: ROOT });
  expect(stdout).toMatch(/uploaded {2}incoming\/lemon\.png/);
  expect(stdout).toMatch(/event {5}\{"account":.*"action":"PutObject","bucket":"bit-edge-uploads"/);
  expect(stdout).toMatch(/verdict {3}block because of citrus/);
  expect(stdout).toMatch(/callback {2}moderation\.completed, signature verified, event evt_uploads_[0-9a-f]{32}/);
  expect(stdout).toMatch(/effect {4}quarantine: quarantine\/incoming\/lemon\.png/);
  expect(stdout).toMatch(/object {4}GET incoming\/lemon\.png: 404/);
  expect(stdout).toMatch(/verdict {3}allow/);
});
