/** `bit-edge uploads put`: pictures of this machine into the uploads bucket. */
import { parseArgs } from 'node:util';
import { withStore } from '../store/open-store.ts';
import { putFiles } from '../uploads/put-files.ts';
import { STORE_HELP, STORE_OPTIONS, toStoreOptions, wrongUsage } from './store-options.ts';

/** Prefix that a deployment reads pictures from by default. */
export const UPLOADS_PREFIX = 'uploads/';

/** What `--help` prints. */
export const HELP = `usage: bit-edge uploads put FILE|FOLDER... [--prefix ${UPLOADS_PREFIX}]

Puts pictures into the uploads bucket and prints one line each, {"r2": KEY}: a manifest that "bit-edge jobs submit" takes. A folder's
pictures keep their places below it; its other files are passed over.
  --prefix PREFIX    of the keys. Default: ${UPLOADS_PREFIX}
${STORE_HELP}`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...STORE_OPTIONS, prefix: { type: 'string', default: UPLOADS_PREFIX } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [action, ...paths] = positionals;
  if (action !== 'put' || paths.length === 0) return wrongUsage('uploads', 'name files or folders to put', HELP);
  const uploaded = await withStore({ ...toStoreOptions(values), binding: 'UPLOADS' }, ({ store }) =>
    putFiles(store, paths, values.prefix),
  );
  for (const { key } of uploaded) process.stdout.write(`${JSON.stringify({ r2: key })}\n`);
  process.stderr.write(`${uploaded.length} pictures uploaded\n`);
  return uploaded.length === 0 ? 1 : 0;
}
