/** `bit-edge doctor`: what is wrong with this machine or a deployment, and the line that mends it. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CHECK_NAMES, examine } from '../doctor/checks.ts';
import { gather } from '../doctor/gather.ts';
import { withStore } from '../store/open-store.ts';
import { print, STORE_HELP, STORE_OPTIONS, toStoreOptions } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge doctor [--url URL] [--remote] [--env NAME] [--json]

Looks at this machine, wrangler.toml and the model store, and at a deployment where --url names one. Checks: ${CHECK_NAMES.join(', ')}.
Exit code 0 where nothing is wrong, 1 with findings.
  --url URL          a deployment, or http://127.0.0.1:8787 after "npm start".
${STORE_HELP}`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...STORE_OPTIONS, url: { type: 'string' } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const patient = {
    configPath: resolve(values.config ?? 'wrangler.toml'),
    environment: values.env ?? null,
    url: values.url?.replace(/\/+$/, '') ?? null,
    needsKeys: values.remote,
  };
  const findings = examine(await withStore(toStoreOptions(values), ({ store }) => gather(patient, store)));
  const lines = findings.map(
    ({ check, problem, mend }) => `${check.padEnd(14)} ${problem}\n${' '.repeat(15)}mend: ${mend}`,
  );
  const text = findings.length === 0 ? `${CHECK_NAMES.length} checks, nothing is wrong` : lines.join('\n');
  print(values.json, { findings }, text);
  return findings.length === 0 ? 0 : 1;
}
