/**
 * `npm run bench -- <suite> [--runs N] [--only TEXT] [--json]`: measures a suite and prints a table of medians. `--qdq FILE`,
 * `--keep FOLDER` and `--out FOLDER` are for the suite `runtime`: docs/bench/runtime.md.
 *
 * The sides of a comparison are run in turn within one process, so that a slow moment of the machine falls on all of
 * them. With `--json` the last line of standard output is one JSON object; the table goes to standard error.
 */
import { parseArgs } from 'node:util';
import { AppError } from '../worker/errors.ts';
import type { BenchSuite } from './bench/suite.ts';

const SUITES: Readonly<Record<string, () => Promise<BenchSuite>>> = {
  imaging: async () => (await import('./bench/imaging.ts')).IMAGING_SUITE,
  gpu: async () => (await import('./bench/gpu.ts')).GPU_SUITE,
  'group-norm': async () => (await import('./bench/group-norm.ts')).GROUP_NORM_SUITE,
  runtime: async () => (await import('./bench/runtime.ts')).RUNTIME_SUITE,
  'fast-accuracy': async () => (await import('./bench/fast-accuracy.ts')).FAST_ACCURACY_SUITE,
};

const DEFAULT_RUNS = 7;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: String(DEFAULT_RUNS) },
    only: { type: 'string' },
    qdq: { type: 'string' },
    keep: { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const load = positionals.length === 1 ? SUITES[positionals[0] ?? ''] : undefined;
const runs = Number(values.runs);
if (load === undefined || !Number.isInteger(runs) || runs < 1) {
  process.stderr.write(
    `usage: npm run bench -- <${Object.keys(SUITES).join(' | ')}> [--runs N] [--only TEXT] [--json]
       npm run bench -- runtime [--qdq FILE] [--keep FOLDER] [--out FOLDER] ...\n`,
  );
  process.exitCode = 2;
} else {
  const suite = await load();
  const print = (line: string): void => {
    (values.json ? process.stderr : process.stdout).write(`${line}\n`);
  };
  try {
    const result = await suite.run({
      runs,
      only: values.only ?? '',
      print,
      ...(values.qdq === undefined ? {} : { qdq: values.qdq }),
      ...(values.keep === undefined ? {} : { keep: values.keep }),
      ...(values.out === undefined ? {} : { out: values.out }),
    });
    if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  } catch (error) {
    if (!(error instanceof Error && (error instanceof AppError || 'syscall' in error))) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    process.exitCode = 1;
  }
}
