/**
 * wrangler.toml with variables of its own. `wrangler dev --var` reaches only the first of several workers, so one that is
 * not the first needs them in its file.
 */
import { rmSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { onEnding } from '../process/ending.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Writes the file beside wrangler.toml, where relative paths hold, and removes it however `use` ends. */
export async function withConfigVariables<T>(
  variables: Readonly<Record<string, string>>,
  use: (configPath: string) => Promise<T>,
): Promise<T> {
  const text = await readFile(`${ROOT}wrangler.toml`, 'utf8');
  // A TOML basic string escapes as JSON does.
  const lines = Object.entries(variables).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const table = `[vars]\n${lines.join('\n')}\n`;
  const configPath = `.wrangler.demo-${process.pid}.toml`;
  const merged = /^\[vars\]$/m.test(text) ? text.replace(/^\[vars\]\n/m, () => table) : `${text}\n${table}`;
  const forget = onEnding(() => rmSync(`${ROOT}${configPath}`, { force: true }));
  await writeFile(`${ROOT}${configPath}`, merged);
  try {
    return await use(configPath);
  } finally {
    forget();
    await rm(`${ROOT}${configPath}`, { force: true });
  }
}
