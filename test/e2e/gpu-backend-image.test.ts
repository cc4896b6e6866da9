import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { writeModel } from '../support/gpu-model.ts';
import { BACKEND_INSTALLED, SKIP_REASON, startBackend, untilReady } from '../support/gpu-process.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The `COPY` lines of the Dockerfile's stage `sources`: what is copied, and to where below /app. */
async function copiedSources(): Promise<{ from: string; to: string }[]> {
  const text = await readFile(join(ROOT, 'gpu-backend/deploy/Dockerfile'), 'utf8');
  const stage = text.split(/^FROM /m).find((part) => part.startsWith('scratch AS sources'))!;
  return [...stage.matchAll(/^COPY (.+)$/gm)].flatMap((line) => {
    const parts = line[1]!.split(/\s+/);
    const to = parts.pop()!.replace(/^\/app\//, '');
    return parts.map((from) => ({ from, to: to.endsWith('/') && !from.includes('*') ? join(to, basename(from)) : to }));
  });
}

describe.skipIf(!BACKEND_INSTALLED)(`the container image${SKIP_REASON}`, () => {
  test('the files that the Dockerfile copies, with the packages at their root, are a backend that starts', async () => {
    const app = await mkdtemp(join(tmpdir(), 'gpu-image-'));
    try {
      for (const { from, to } of await copiedSources()) {
        const target = join(app, to);
        await mkdir(dirname(target), { recursive: true });
        const isPattern = from.endsWith('/*.ts');
        await cp(join(ROOT, isPattern ? dirname(from) : from), target, {
          recursive: true,
          filter: (path) =>
            basename(path) !== 'node_modules' &&
            (!isPattern ||
              path === join(ROOT, dirname(from)) ||
              /^[^/]+\.ts$/.test(path.slice(join(ROOT, dirname(from)).length + 1))),
        });
      }
      await symlink(join(ROOT, 'gpu-backend/node_modules'), join(app, 'node_modules'));
      await cp(join(ROOT, 'gpu-backend/package.json'), join(app, 'package.json'));
      await writeModel(join(app, 'store'), 'random');
      const backend = await startBackend({ GPU_STORE: join(app, 'store') }, 'gpu-backend/main.ts', app);
      await untilReady(backend);
      backend.process.kill('SIGTERM');
      expect(await backend.exit).toBe(0);
      const run = promisify(execFile);
      const usage = await run(process.execPath, ['gpu-backend/work/run.ts', '--help'], { cwd: app });
      expect(usage.stdout).toContain('npm run gpu -- work');
      const thread = run(process.execPath, ['gpu-backend/work/decode-thread.ts'], { cwd: app });
      await expect(thread).rejects.toThrow('runs as a worker thread only');
    } finally {
      await rm(app, { recursive: true });
    }
  });
});
