import { expect, it } from 'vitest';
import { buildConsole } from '../../../console/build.ts';

const MAX_FIRST_LOAD_BYTES = 120_000;

it('loads at most 120 kB of JavaScript gzipped before the first page is shown', async () => {
  const { files, firstLoadBytes } = await buildConsole();
  const scripts = [...files].filter(([path]) => path.endsWith('.js'));
  console.log(`first load ${firstLoadBytes} B gzipped, ${scripts.length} scripts`);
  expect(firstLoadBytes).toBeGreaterThan(5_000);
  expect(firstLoadBytes).toBeLessThanOrEqual(MAX_FIRST_LOAD_BYTES);
});

it('has no inline script, style or handler, and names nothing from elsewhere', async () => {
  const { files } = await buildConsole();
  const page = new TextDecoder().decode(files.get('index.html'));
  expect(page.match(/<script[^>]*>/g)).toEqual([expect.stringMatching(/src="\/console\/app-[A-Z0-9]{8}\.js"/)]);
  expect(page).not.toMatch(/<style|style=|\son\w+=|https?:/);
  for (const [, path] of page.matchAll(/(?:src|href)="\/(console\/[^"]+)"/g)) expect(files.has(path!), path).toBe(true);
});

it('gives the same files when it is built again', async () => {
  const [first, second] = [await buildConsole(), await buildConsole()];
  expect([...second.files.keys()]).toEqual([...first.files.keys()]);
});
