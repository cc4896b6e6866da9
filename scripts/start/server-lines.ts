/** What a user of `npm start` sees of the lines that `wrangler dev` prints. */
import { stripVTControlCharacters } from 'node:util';

/** Lines that say nothing to a user of this project. */
const NOISE = [
  /^\s*$/,
  /wrangler \d/,
  /^[─-]+$/,
  /Starting local server/,
  /Ready on /,
  /^\[custom build\]|^console {2}/,
  /Your types might be out of date/,
  // The frames of an error that workerd reports of itself.
  /^\s*stack: .*workerd/,
];

/** An outgoing connection that failed: workerd prints an error of its own, though the caller is answered with the reason. */
const CONNECTION = /ERROR\].*\be = rust\/worker\/ffi\.rs:\d+: failed: (.+)$/;

/** The line as it is shown; null for none. */
export function shownLine(line: string): string | null {
  const plain = stripVTControlCharacters(line);
  if (NOISE.some((pattern) => pattern.test(plain))) return null;
  const reason = CONNECTION.exec(plain)?.[1];
  return reason === undefined ? line : `connect  ${reason}`;
}
