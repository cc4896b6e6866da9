/** `bit-edge restore`: a backup into a deployment's buckets. */
import { parseArgs } from 'node:util';
import { BACKUP_BUCKETS, BackupFolder } from '../backup/backup-folder.ts';
import { type Restored, restoreBucket } from '../backup/buckets.ts';
import { withStore } from '../store/open-store.ts';
import { BUCKET_HELP, BUCKET_OPTIONS, print, toStoreOptions, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge restore DIR [--overwrite] [--remote] [--env NAME]

Puts what "bit-edge backup DIR" copied back into the buckets: files first, manifests next, aliases last. Every content is held
against its SHA-256. A restore that was broken off can be run again.
  --overwrite        replaces objects that are there with another content. Default: they are kept and named, exit code 1.
  --remote           the real buckets, through wrangler; they must be there ("npm run deploy" makes them). Default: the local ones.
${BUCKET_HELP}
Exit codes: 0 done, 1 failed or something was kept, 2 wrong usage.
`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...BUCKET_OPTIONS, overwrite: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [path, ...rest] = positionals;
  if (path === undefined || rest.length > 0) return wrongUsage('restore', 'one DIR is needed', HELP);
  const folder = new BackupFolder(path);
  const index = await folder.readIndex();
  if (index === null) {
    process.stderr.write(`bit-edge restore: there is no backup in ${path}\n`);
    return 1;
  }
  const counts: Record<Restored, number> = { written: 0, same: 0, kept: 0 };
  for (const binding of BACKUP_BUCKETS) {
    await withStore({ ...toStoreOptions(values), binding }, ({ store }) =>
      restoreBucket(store, folder, index.buckets[binding], values.overwrite, ({ key }, outcome) => {
        counts[outcome]++;
        if (outcome === 'kept') process.stderr.write(`kept ${key}: another content is there (--overwrite)\n`);
      }),
    );
  }
  const text = `${counts.written} objects written, ${counts.same} were there, ${counts.kept} kept; backup of ${index.created_at}`;
  print(values.json, { ...counts, created_at: index.created_at }, text);
  return counts.kept === 0 ? 0 : 1;
}
