/** The frame of every command of package.json: usage, wrong flags, errors in one line, and an orderly end. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { endOnSignals, endWithSurroundings, isEnding } from './ending.ts';
import { failureLine, usageProblem } from './failure.ts';

/** What a script is called with. */
export interface Script<Options extends ParseArgsOptionsConfig> {
  /** In messages: `soak`. */
  readonly name: string;
  readonly usage: string;
  /** `--help` is added. */
  readonly options: Options;
  /** Whether anything but options may follow the name. Default: no. */
  readonly allowPositionals?: boolean;
  /** Exit code when a signal ends it. Default: 128 and the signal's number. Null: `run` handles signals. */
  readonly signalExitCode?: number | null;
}

/** Arguments that are wrong in a way that `parseArgs` does not know; answered with the usage and exit code 2. */
export class UsageError extends Error {}

const HELP = { help: { type: 'boolean', short: 'h' } } as const;

type Parsed<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: Options & typeof HELP; allowPositionals: true }>
>;

/** Runs a script and sets the exit code to what it answers: 0 done, 1 failed, 2 wrong usage. */
export async function runScript<const Options extends ParseArgsOptionsConfig>(
  { name, usage, options, allowPositionals = false, signalExitCode }: Script<Options>,
  run: (values: Parsed<Options>['values'], positionals: readonly string[]) => Promise<number>,
): Promise<void> {
  endWithSurroundings();
  if (signalExitCode !== null) endOnSignals(signalExitCode);
  try {
    const { values, positionals } = parseArgs({ options: { ...options, ...HELP }, allowPositionals: true });
    if ('help' in values && values.help === true) {
      process.stdout.write(usage);
      return;
    }
    if (!allowPositionals && positionals.length > 0) throw new UsageError(`unexpected argument "${positionals[0]}"`);
    process.exitCode = await run(values, positionals);
  } catch (error) {
    // What is cut off by the end fails, and that is no news.
    if (isEnding()) return;
    const problem = error instanceof UsageError ? error.message : usageProblem(error);
    if (problem !== null) {
      process.stderr.write(`${name}: ${problem}\n\n${usage}`);
      process.exitCode = 2;
      return;
    }
    const line = failureLine(error);
    process.stderr.write(`${name}: ${line ?? (error instanceof Error ? error.stack : String(error))}\n`);
    process.exitCode = 1;
  }
}
