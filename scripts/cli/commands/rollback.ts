/** `bit-edge rollback`: points an alias back at its previous version. */
import { parseArgs } from 'node:util';
import { rollback } from '../../../model-store/versions.ts';
import { withStore } from '../store/open-store.ts';
import { print, STORE_HELP, STORE_OPTIONS, toStoreOptions, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge rollback NAME [--alias latest] [--remote | --store DIR]

Points the alias of model NAME back at its previous version; run it again to go back further. Versions deleted since are skipped.
To choose the version, use "bit-edge alias".
  --alias NAME       default: latest
${STORE_HELP}`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...STORE_OPTIONS, alias: { type: 'string', default: 'latest' } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const name = positionals[0];
  if (name === undefined || positionals.length > 1) return wrongUsage('rollback', 'one NAME is needed', HELP);
  const move = await withStore(toStoreOptions(values), ({ store }) => {
    return rollback(store, name, values.alias, new Date().toISOString());
  });
  print(values.json, move, `${name}@${move.alias}: ${move.from} -> ${move.to}`);
  return 0;
}
