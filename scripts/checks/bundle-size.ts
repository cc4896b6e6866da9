/** `npm run check`: the size of the worker as `wrangler deploy --dry-run` left it, held to a budget. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runScript, UsageError } from '../process/run-script.ts';

const KIB = 1024;

/** Compressed bytes that a worker may have. https://developers.cloudflare.com/workers/platform/limits/#worker-size */
const PAID_PLAN_BYTES = 10 * KIB * KIB;
const FREE_PLAN_BYTES = 3 * KIB * KIB;

/** Ours: what is there, and room for a tenth. */
const BUDGET_BYTES = 4300 * KIB;

const USAGE = `usage: bundle-size FOLDER

Prints the size of the worker that "wrangler deploy --dry-run --outdir FOLDER" left. Exit code 1 if it is over its budget.
`;

await runScript(
  { name: 'bundle-size', usage: USAGE, options: {}, allowPositionals: true },
  async (_values, [folder, ...rest]) => {
    if (folder === undefined || rest.length > 0) throw new UsageError('one FOLDER is needed');
    const names = (await readdir(folder)).filter((name) => /\.(js|wasm)$/.test(name));
    const files = await Promise.all(names.map((name) => readFile(join(folder, name))));
    const total = files.reduce((sum, bytes) => sum + bytes.length, 0);
    const compressed = files.reduce((sum, bytes) => sum + gzipSync(bytes).length, 0);
    const plans = compressed > FREE_PLAN_BYTES ? 'paid plan only' : 'free and paid plans';
    process.stdout.write(
      `worker ${kib(total)}, gzip ${kib(compressed)} of ${kib(BUDGET_BYTES)}; the platform takes ${kib(PAID_PLAN_BYTES)} (${plans})\n`,
    );
    if (compressed <= BUDGET_BYTES) return 0;
    process.stderr.write(`the worker is ${kib(compressed - BUDGET_BYTES)} over its budget\n`);
    return 1;
  },
);

function kib(bytes: number): string {
  return `${Math.round(bytes / KIB)} KiB`;
}
