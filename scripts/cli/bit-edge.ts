/** The `bit-edge` command line: finds the command, hands it its arguments, and maps errors to exit codes. */
import { AppError } from '../../worker/errors.ts';
import { COMMANDS } from './commands/index.ts';

const [name, ...args] = process.argv.slice(2);
const command = name === undefined ? undefined : COMMANDS.find((candidate) => candidate.name === name);

if (command === undefined) {
  const asked = name === undefined || name === '--help' || name === '-h' || name === 'help';
  const lines = COMMANDS.map((each) => `  ${each.name.padEnd(16)}${each.summary}`);
  const text = `usage: bit-edge <command> [options]\n\n${lines.join('\n')}\n\nbit-edge <command> --help explains a command.\n`;
  if (asked) process.stdout.write(text);
  else process.stderr.write(`bit-edge: unknown command "${name}"\n\n${text}`);
  process.exitCode = asked ? 0 : 2;
} else {
  try {
    process.exitCode = await (await command.load()).run(args);
  } catch (error) {
    if (error instanceof AppError) {
      process.stderr.write(`bit-edge ${command.name}: ${error.code}: ${error.message}\n`);
      process.exitCode = 1;
    } else if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
      process.stderr.write(`bit-edge ${command.name}: ${error.message}\n`);
      process.exitCode = 2;
    } else if (error instanceof Error && 'syscall' in error && 'path' in error) {
      process.stderr.write(`bit-edge ${command.name}: ${error.message}\n`);
      process.exitCode = 1;
    } else {
      throw error;
    }
  }
}
