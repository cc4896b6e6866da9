/**
 * `npm run bench -- <suite> [--runs N] [--only TEXT] [--json]`: measures a suite and prints a table of medians. `--qdq FILE`,
 * `--keep FOLDER` and `--out FOLDER` are for the suite `runtime`: docs/bench/runtime.md.
 *
 * The sides of a comparison are run in turn within one process, so that a slow moment of the machine falls on all of
 * them. With `--json` the last line of standard output is one JSON object; the table goes to standard error.
 */

import { runScript, UsageError } from '../process/run-script.ts';
import type { BenchSuite } from './suite.ts';

const SUITES: Readonly<Record<string, () => Promise<BenchSuite>>> = {
  imaging: async () => (await import('./imaging.ts')).IMAGING_SUITE,
  gpu: async () => (await import('./gpu.ts')).GPU_SUITE,
  'group-norm': async () => (await import('./group-norm.ts')).GROUP_NORM_SUITE,
  runtime: async () => (await import('./runtime.ts')).RUNTIME_SUITE,
  heads: async () => (await import('./heads.ts')).HEADS_SUITE,
  agreement: async () => (await import('./agreement.ts')).AGREEMENT_SUITE,
  'fast-accuracy': async () => (await import('./fast-accuracy.ts')).FAST_ACCURACY_SUITE,
};

const DEFAULT_RUNS = 7;

const USAGE = `usage: npm run bench -- <${Object.keys(SUITES).join(' | ')}> [--runs N] [--only TEXT] [--json]
       npm run bench -- runtime [--qdq FILE] [--keep FOLDER] [--out FOLDER] ...

  --runs N       timed runs of every side; ${DEFAULT_RUNS}
  --only TEXT    the parts whose name contains the text
  --json         the result as one line of JSON at the end of standard output; the tables go to standard error
  --qdq FILE     runtime: R50x1 by onnxruntime's own quantization, in place of the one that the suite makes
  --keep FOLDER  runtime: leaves the models there that are made to be measured
  --out FOLDER   runtime: where the figures and the plot go; docs/bench, and nowhere beside --only
docs/bench has a page per suite.
`;

await runScript(
  {
    name: 'bench',
    usage: USAGE,
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: String(DEFAULT_RUNS) },
      only: { type: 'string' },
      qdq: { type: 'string' },
      keep: { type: 'string' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  },
  async (values, positionals) => {
    const [name] = positionals;
    const load = positionals.length === 1 && name !== undefined ? SUITES[name] : undefined;
    if (load === undefined) throw new UsageError('one suite is needed');
    const runs = Number(values.runs);
    if (!Number.isInteger(runs) || runs < 1) {
      throw new UsageError(`--runs is "${values.runs}"; it must be an integer from 1`);
    }
    const suite = await load();
    const print = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
    const result = await suite.run({
      runs,
      only: values.only ?? '',
      print,
      ...(values.qdq === undefined ? {} : { qdq: values.qdq }),
      ...(values.keep === undefined ? {} : { keep: values.keep }),
      ...(values.out === undefined ? {} : { out: values.out }),
    });
    if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    // A suite whose parts failed has said so.
    return Number(process.exitCode ?? 0);
  },
);
