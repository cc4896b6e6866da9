/** `bit-edge backup`: a deployment's models, aliases, policies, keys, heads and jobs into a folder. */
import { parseArgs } from 'node:util';
import { BACKUP_BUCKETS, BackupFolder, type BackupIndex } from '../backup/backup-folder.ts';
import { backUpBucket } from '../backup/buckets.ts';
import { readRecords } from '../backup/records.ts';
import { Deployment } from '../jobs/deployment.ts';
import { formatBytes } from '../progress.ts';
import { withStore } from '../store/open-store.ts';
import { BUCKET_HELP, BUCKET_OPTIONS, print, toStoreOptions, wrongUsage } from './store-options.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge backup DIR [--remote] [--env NAME] [--url URL --key API_KEY]

Copies the buckets of models (with aliases, policies, API keys by their hash, heads) and of jobs (manifests, results) into DIR.
Run again with the same DIR it reads only what has changed. "bit-edge restore DIR" puts it back.
  --url URL          also what only Durable Objects know (jobs, decisions, events), as lines of JSON to read: it cannot be put back.
  --key API_KEY      with the scopes jobs and moderate, for --url.
  --remote           the real buckets, through wrangler. Default: the local ones.
${BUCKET_HELP}
Not in it: images that were uploaded, secrets (they live in the account), examples of heads (the trained heads are).
Exit codes: 0 done, 1 failed, 2 wrong usage.
`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...BUCKET_OPTIONS, url: { type: 'string' }, key: { type: 'string' } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [path, ...rest] = positionals;
  if (path === undefined || rest.length > 0) return wrongUsage('backup', 'one DIR is needed', HELP);
  const deployment = values.url === undefined ? null : new Deployment(values.url, values.key);
  const folder = new BackupFolder(path);
  const earlier = await folder.readIndex();
  const buckets: BackupIndex['buckets'] = { MODELS: [], JOBS: [] };
  let [bytes, read] = [0, 0];
  for (const binding of BACKUP_BUCKETS) {
    buckets[binding] = await withStore({ ...toStoreOptions(values), binding }, ({ store }) =>
      backUpBucket(store, folder, earlier?.buckets[binding] ?? [], (object, wasRead) => {
        bytes += object.size;
        if (wasRead) read++;
      }),
    );
  }
  const records: string[] = [];
  if (deployment !== null) {
    for await (const { file, lines } of readRecords(deployment)) {
      await folder.writeFile(file, lines.map((line) => `${line}\n`).join(''));
      records.push(file);
    }
  }
  await folder.writeIndex({ schema_version: 1, created_at: new Date().toISOString(), buckets, records });
  const objects = buckets.MODELS.length + buckets.JOBS.length;
  const text = `${objects} objects, ${formatBytes(bytes)}, in ${path}; ${read} of them read, the others had not changed`;
  print(values.json, { objects, bytes, read, records }, text);
  return 0;
}
