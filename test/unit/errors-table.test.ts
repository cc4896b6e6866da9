/** docs/errors.md against the code: every code once, with the status, blame and title of the table. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { PROBLEMS } from '../../worker/problem.ts';

it('docs/errors.md lists every code with its status, blame and title, and no other', async () => {
  const text = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z_0-9]+)` +\| (\d{3}) +\| (\w+) +\| (.+?) +\|/gm)].map(
    ([, code, status, blame, title]) => [code, { status: Number(status), blame, title }],
  );
  expect(rows.length).toBe(Object.keys(PROBLEMS).length);
  expect(Object.fromEntries(rows)).toEqual(PROBLEMS);
});
