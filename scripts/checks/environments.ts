/** `npm run environments`: writes the environments of wrangler.toml from the blocks of its top level; `--check` only compares. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { withEnvironments } from '../cli/deploy/environments.ts';

const path = fileURLToPath(new URL('../../wrangler.toml', import.meta.url));
const text = await readFile(path, 'utf8');
const expected = withEnvironments(text);
if (!process.argv.includes('--check')) await writeFile(path, expected);
else if (text !== expected) {
  process.stderr.write('wrangler.toml: the environments differ from the top level; run "npm run environments"\n');
  process.exitCode = 1;
}
