/** The `bit-edge` command line: finds the command, hands it its arguments, and maps errors to exit codes. */

import { endOnSignals, endWithSurroundings, isEnding } from '../process/ending.ts';
import { failureLine, usageProblem } from '../process/failure.ts';
import { COMMANDS, type Command } from './commands/index.ts';

endWithSurroundings();
endOnSignals();
const [name, ...args] = process.argv.slice(2);
const command = name === undefined ? undefined : COMMANDS.find((candidate) => candidate.name === name);
process.exitCode = command === undefined ? listCommands(name) : await runCommand(command);

function listCommands(name: string | undefined): number {
  const asked = name === undefined || name === '--help' || name === '-h' || name === 'help';
  const lines = COMMANDS.map((each) => `  ${each.name.padEnd(16)}${each.summary}`);
  const text = `usage: bit-edge <command> [options]\n\n${lines.join('\n')}\n\nbit-edge <command> --help explains a command.\n`;
  if (asked) process.stdout.write(text);
  else process.stderr.write(`bit-edge: unknown command "${name}"\n\n${text}`);
  return asked ? 0 : 2;
}

async function runCommand(command: Command): Promise<number> {
  const module = await command.load();
  try {
    return await module.run(args);
  } catch (error) {
    // What is cut off by the end fails, and that is no news.
    if (isEnding()) return 1;
    const usage = usageProblem(error);
    const line = usage ?? failureLine(error);
    if (line === null) throw error;
    process.stderr.write(`bit-edge ${command.name}: ${line}\n${usage === null ? '' : `\n${module.HELP}`}`);
    return usage === null ? 1 : 2;
  }
}
