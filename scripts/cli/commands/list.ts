/** `bit-edge list`: what is in the model store. */
import { parseArgs } from 'node:util';
import { listVersions, type VersionSummary } from '../../../model-store/versions.ts';
import { formatBytes } from '../progress.ts';
import { withStore } from '../store/open-store.ts';
import { print, STORE_HELP, STORE_OPTIONS, toStoreOptions, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge list [NAME] [--remote | --store DIR]

Lists the versions of every model, or of NAME, with their size, variants and aliases. "unfinished" marks the leftovers of an
interrupted publish: publish again, or remove them with "bit-edge gc".
${STORE_HELP}`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: STORE_OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (positionals.length > 1) return wrongUsage('list', 'at most one NAME', HELP);
  const versions = await withStore(toStoreOptions(values), ({ store }) => listVersions(store, positionals[0]));
  print(values.json, versions, versions.length === 0 ? 'no versions' : table(versions));
  return 0;
}

function table(versions: readonly VersionSummary[]): string {
  const rows = versions.map((each) => [
    `${each.name}/${each.version}`,
    each.complete ? (each.createdAt ?? '') : 'unfinished',
    formatBytes(each.bytes),
    each.variants.join(','),
    each.aliases.map((alias) => `@${alias}`).join(' '),
  ]);
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
