/** `bit-edge delete`: removes a version from the model store. */
import { parseArgs } from 'node:util';
import { deleteVersion } from '../../../model-store/versions.ts';
import { withStore } from '../store/open-store.ts';
import { print, STORE_HELP, STORE_OPTIONS, toStoreOptions, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge delete NAME VERSION [--remote | --store DIR]

Deletes a version, its manifest first. Refused while an alias points at it.
${STORE_HELP}`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: STORE_OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [name, version, ...rest] = positionals;
  if (name === undefined || version === undefined || rest.length > 0) {
    return wrongUsage('delete', 'NAME and VERSION are needed', HELP);
  }
  const keys = await withStore(toStoreOptions(values), ({ store }) => deleteVersion(store, name, version));
  print(values.json, { name, version, deleted: keys }, `${name}/${version}: ${keys.length} objects deleted`);
  return 0;
}
