/**
 * `npm run fuzz`: mutates pictures and decodes them. Only typed errors may come out, in time and within memory.
 * Writes every input that breaks a rule to a folder; exit code 1 where there is one.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Failure } from '../../test/fuzz/messages.ts';
import { type FuzzReport, runFuzz } from '../../test/fuzz/run.ts';
import { FUZZ_FORMATS } from '../../test/fuzz/seeds.ts';
import type { ImageFormat } from '../../worker/imaging/image.ts';
import { runScript, UsageError } from '../process/run-script.ts';

const USAGE = `usage: npm run fuzz -- [options]

  --inputs N        inputs of each format (default 2000)
  --seed S          one seed, one sequence of inputs (default 1)
  --format F        one of ${FUZZ_FORMATS.join(', ')}; may be repeated (default: all)
  --time-limit S    seconds for the whole run (default: none)
  --no-corpora      mutate the project's own fixtures only
  --out DIR         where failing inputs are written (default: .fuzz)
`;

const EXTENSIONS: Readonly<Record<ImageFormat, string>> = {
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  gif: 'gif',
  bmp: 'bmp',
};

/** Failures that look alike are one finding; this many of their inputs are kept. */
const KEPT_OF_EACH = 3;

function writeFailures(report: FuzzReport, seed: number, folder: string): void {
  const findings = new Map<string, Failure[]>();
  for (const failure of report.failures) {
    const name = `${failure.kind}: ${failure.message.split('\n')[0]?.replace(/\d+/g, '#')}`;
    findings.set(name, [...(findings.get(name) ?? []), failure]);
  }
  for (const [name, failures] of findings) {
    process.stdout.write(`  ${name} (${failures.length} inputs)\n`);
    failures.sort((a, b) => a.bytes.length - b.bytes.length);
    for (const { kind, index, message, bytes, choices } of failures.slice(0, KEPT_OF_EACH)) {
      mkdirSync(folder, { recursive: true });
      const path = join(folder, `${report.format}-${kind}-${seed}-${index}.${EXTENSIONS[report.format]}`);
      writeFileSync(path, bytes);
      writeFileSync(`${path}.txt`, `${message}\n${JSON.stringify(choices)}\n`);
      process.stdout.write(`    input ${index}, ${bytes.length} bytes: ${path}\n`);
    }
  }
}

function describe(report: FuzzReport): string {
  const refused = Object.entries(report.refused)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code} ${count}`)
    .join(', ');
  return `${report.format.padEnd(5)} ${report.inputs} inputs from ${report.seeds} seeds: ${report.decoded} decoded; ${refused}; slowest ${report.slowestMs.toFixed(0)} ms (input ${report.slowestIndex}); ${report.failures.length} failures\n`;
}

await runScript(
  {
    name: 'fuzz',
    usage: USAGE,
    options: {
      inputs: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      format: { type: 'string', multiple: true },
      'time-limit': { type: 'string' },
      'no-corpora': { type: 'boolean', default: false },
      out: { type: 'string', default: '.fuzz' },
    },
  },
  async (values) => {
    const [inputs, seed] = [Number(values.inputs), Number(values.seed)];
    const seconds = values['time-limit'] === undefined ? Number.POSITIVE_INFINITY : Number(values['time-limit']);
    const unknown = values.format?.find((name) => !FUZZ_FORMATS.some((format) => format === name));
    if (unknown !== undefined) throw new UsageError(`there is no format "${unknown}"`);
    if (!Number.isInteger(inputs)) throw new UsageError(`--inputs is "${values.inputs}"; it must be an integer`);
    if (!Number.isInteger(seed)) throw new UsageError(`--seed is "${values.seed}"; it must be an integer`);
    if (Number.isNaN(seconds)) throw new UsageError(`--time-limit is "${values['time-limit']}"; it must be a number`);
    const formats = FUZZ_FORMATS.filter((format) => values.format === undefined || values.format.includes(format));
    const deadline = performance.now() + seconds * 1000;
    let exitCode = 0;
    for (const format of formats) {
      const timeLimitMs = deadline - performance.now();
      const onProgress = (done: number): void => {
        if (process.stderr.isTTY) process.stderr.write(`\r${format} ${done} of ${inputs}`);
      };
      const report = await runFuzz({ format, inputs, seed, corpora: !values['no-corpora'], timeLimitMs, onProgress });
      if (process.stderr.isTTY) process.stderr.write('\r');
      process.stdout.write(describe(report));
      writeFailures(report, seed, values.out);
      if (report.failures.length > 0) exitCode = 1;
    }
    return exitCode;
  },
);
