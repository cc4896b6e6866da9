import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../../scripts/cli/commands/index.ts';
import { failureLine, usageProblem } from '../../../scripts/process/failure.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> };

/** Tools of others, which have usages of their own. */
const TOOLS = ['test', 'format'];
const OURS = Object.entries(scripts).filter(([name]) => !TOOLS.includes(name));

/** Runs a script as npm does, without npm. */
function run(script: string, flag: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const [, ...args] = script.split(' ');
  const child = spawn(process.execPath, [...args, flag], { cwd: ROOT });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...output })));
}

describe('commands of package.json', () => {
  it.each(OURS)(
    'npm run %s: --help is the usage, an unknown flag is refused with it',
    async (_name, script) => {
      const [help, wrong] = await Promise.all([run(script, '--help'), run(script, '--bogus')]);
      expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/^usage: /), stderr: '' });
      expect(wrong).toMatchObject({ code: 2, stdout: '' });
      expect(wrong.stderr).toContain('--bogus');
      expect(wrong.stderr).toContain(help.stdout);
    },
    60_000,
  );

  it.each(COMMANDS)(
    'bit-edge $name: its help names it, and an unknown flag is a usage problem',
    async (command) => {
      const module = await command.load();
      expect(module.HELP).toMatch(new RegExp(`^usage: (bit-edge|npm run) .*?${command.name}`));
      const refused: unknown = await module.run(['--bogus']).catch((error: unknown) => error);
      expect(usageProblem(refused)).toBe("Unknown option '--bogus'");
    },
    60_000,
  );

  it('no documented command runs TypeScript with the Node of the shell, which may be too old for it', () => {
    const pages = [
      'README.md',
      'CONTRIBUTING.md',
      'docs/clients.md',
      'docs/gpu-backend.md',
      'examples/typed-client.ts',
    ];
    for (const page of pages) {
      expect(readFileSync(`${ROOT}${page}`, 'utf8'), page).not.toMatch(/(?<!npx )\bnode [\w./-]+\.ts\b/);
    }
  });
});

describe('failureLine', () => {
  it('names the file and what is wrong with it', async () => {
    const { readFile } = await import('node:fs/promises');
    const error: unknown = await readFile('/nowhere/labels.json').catch((reason: unknown) => reason);
    expect(failureLine(error)).toBe('/nowhere/labels.json: no such file or directory');
  });

  it('says why nothing answered', async () => {
    const error: unknown = await fetch('http://127.0.0.1:1/').catch((reason: unknown) => reason);
    expect(failureLine(error)).toMatch(/^fetch failed: (connection refused|bad port)$/);
  });

  it('leaves an error of ours to its stack', () => {
    expect(failureLine(new TypeError('x is not a function'))).toBeNull();
  });
});
