/**
 * Holds the house in order (part of `npm run check`): no import cycles, imports only point down, some packages in some rooms only,
 * and links of the documentation that resolve.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { documentationFaults } from './structure/documentation.ts';
import { importFaults } from './structure/imports.ts';

/** Tracked files, and new ones that git does not ignore. */
function listFiles(): string[] {
  const output = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return output.split('\n').filter((path) => path !== '' && existsSync(path));
}

const read = (path: string): string => readFileSync(path, 'utf8');
const files = listFiles();
const faults = [...importFaults(files, read), ...documentationFaults(files, read)];
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) {
  process.stderr.write(`structure: ${faults.length} faults\n`);
  process.exitCode = 1;
}
