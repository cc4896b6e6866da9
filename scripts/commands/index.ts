/** The table of commands. A command is one file that exports `run`; it is loaded only when it is called. */

/** One command's module. */
export interface CommandModule {
  /** Runs the command with the arguments behind its name; returns the exit code: 0 done, 1 failed, 2 wrong usage. */
  run(args: readonly string[]): Promise<number>;
}

/** One row of the table. */
export interface Command {
  readonly name: string;
  /** One line for `bit-edge --help`. */
  readonly summary: string;
  load(): Promise<CommandModule>;
}

/** Every command, in the order `--help` lists them. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'preprocess',
    summary: 'pictures to pixel_values, with the bits of BitImageProcessor',
    load: () => import('./preprocess.ts'),
  },
];
