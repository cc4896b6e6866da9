/** `npm run environments`: writes the environments of wrangler.toml from the blocks of its top level; `--check` only compares. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { withEnvironments } from '../cli/deploy/environments.ts';
import { runScript } from '../process/run-script.ts';

const USAGE = `usage: npm run environments -- [--check]

Writes [env.staging] and [env.production] of wrangler.toml from the blocks of its top level.
  --check   only compares. Exit code 1 if they differ.
`;

await runScript(
  { name: 'environments', usage: USAGE, options: { check: { type: 'boolean', default: false } } },
  async ({ check }) => {
    const path = fileURLToPath(new URL('../../wrangler.toml', import.meta.url));
    const text = await readFile(path, 'utf8');
    const expected = withEnvironments(text);
    if (!check) await writeFile(path, expected);
    else if (text !== expected) {
      process.stderr.write('wrangler.toml: the environments differ from the top level; run "npm run environments"\n');
      return 1;
    }
    return 0;
  },
);
