/** `bit-edge gc`: removes what unfinished publishes left in the model store. */
import { parseArgs } from 'node:util';
import { collectGarbage } from '../../../model-store/versions.ts';
import { withStore } from '../store/open-store.ts';
import { print, STORE_HELP, STORE_OPTIONS, toStoreOptions, wrongUsage } from './store-options.ts';

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What `--help` prints. */
export const HELP = `usage: bit-edge gc [--older-than 24h] [--dry-run] [--remote | --store DIR]

Deletes the files of versions that have no manifest and were not written to for a while: the leftovers of interrupted publishes. The age
must be longer than any publish takes.
  --older-than AGE   a number and s, m, h or d. Default: 24h
  --dry-run          prints what would be deleted.
${STORE_HELP}`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...STORE_OPTIONS,
      'older-than': { type: 'string', default: '24h' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const age = /^(\d{1,6})([smhd])$/.exec(values['older-than']);
  if (age === null) return wrongUsage('gc', `--older-than "${values['older-than']}": a number and s, m, h or d`, HELP);
  const ageMs = Number(age[1]) * UNITS_MS[age[2]!]!;
  const dryRun = values['dry-run'];
  const keys = await withStore(toStoreOptions(values), ({ store }) => collectGarbage(store, Date.now(), ageMs, dryRun));
  const lines = [`${keys.length} objects ${dryRun ? 'would be deleted' : 'deleted'}`, ...keys.map((key) => `  ${key}`)];
  print(values.json, { deleted: keys, dryRun }, lines.join('\n'));
  return 0;
}
