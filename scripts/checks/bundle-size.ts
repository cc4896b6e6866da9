/** `npm run check`: the size of the worker as `wrangler deploy --dry-run` left it, held to a budget. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const KIB = 1024;

/** Compressed bytes that a worker may have. https://developers.cloudflare.com/workers/platform/limits/#worker-size */
const PAID_PLAN_BYTES = 10 * KIB * KIB;
const FREE_PLAN_BYTES = 3 * KIB * KIB;

/** Ours: what is there, and room for a tenth. */
const BUDGET_BYTES = 4300 * KIB;

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: bundle-size FOLDER');
const names = (await readdir(folder)).filter((name) => /\.(js|wasm)$/.test(name));
const files = await Promise.all(names.map((name) => readFile(join(folder, name))));
const total = files.reduce((sum, bytes) => sum + bytes.length, 0);
const compressed = files.reduce((sum, bytes) => sum + gzipSync(bytes).length, 0);
const plans = compressed > FREE_PLAN_BYTES ? 'paid plan only' : 'free and paid plans';
process.stdout.write(
  `worker ${kib(total)}, gzip ${kib(compressed)} of ${kib(BUDGET_BYTES)}; the platform takes ${kib(PAID_PLAN_BYTES)} (${plans})\n`,
);
if (compressed > BUDGET_BYTES) {
  process.stderr.write(`the worker is ${kib(compressed - BUDGET_BYTES)} over its budget\n`);
  process.exitCode = 1;
}

function kib(bytes: number): string {
  return `${Math.round(bytes / KIB)} KiB`;
}
