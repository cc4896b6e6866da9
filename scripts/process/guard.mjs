// Runs a command in this process group, and ends the whole group when the process that started the guard is gone: its end of
// standard input closes however it ends, SIGKILL included. The group is of its own (spawned with `detached`).
import { spawn } from 'node:child_process';

const [command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
const endGroup = () => process.kill(0, 'SIGKILL');

process.stdin.on('close', endGroup).on('error', endGroup).resume();
// Signals go to the group; the guard stays until the command has ended.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code) => process.exit(code ?? 1));
