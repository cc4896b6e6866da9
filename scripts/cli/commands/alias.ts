/** `bit-edge alias`: points an alias at a version, or shows a model's aliases. */
import { parseArgs } from 'node:util';
import { listAliases, moveAlias } from '../../../model-store/versions.ts';
import { withStore } from '../store/open-store.ts';
import { print, STORE_HELP, STORE_OPTIONS, toStoreOptions, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge alias NAME [ALIAS VERSION] [--remote | --store DIR]

Points ALIAS of model NAME at VERSION, in one write. Workers that serve NAME@ALIAS follow within twice ALIAS_MAX_AGE_MS (20 s by
default), without a redeploy. With NAME alone: shows its aliases and the versions they pointed at before.
${STORE_HELP}`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: STORE_OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [name, alias, version, ...rest] = positionals;
  if (name === undefined || rest.length > 0 || (alias === undefined) !== (version === undefined)) {
    return wrongUsage('alias', 'NAME, or NAME ALIAS VERSION are needed', HELP);
  }
  await withStore(toStoreOptions(values), async ({ store }) => {
    if (alias === undefined || version === undefined) {
      const aliases = [...(await listAliases(store, name))].map(([each, record]) => ({ alias: each, ...record }));
      const lines = aliases.map((each) => `${each.alias}: ${[...each.history, each.version].join(' -> ')}`);
      print(values.json, { name, aliases }, lines.join('\n') || `${name} has no aliases`);
    } else {
      const move = await moveAlias(store, name, alias, version, new Date().toISOString());
      print(values.json, move, `${name}@${alias}: ${move.from ?? 'new'} -> ${move.to}`);
    }
  });
  return 0;
}
