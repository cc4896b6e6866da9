/** What a command says of an error: one line where the person at the keyboard can do something about it. */
import { getSystemErrorMessage } from 'node:util';
import * as z from 'zod';
import { AppError } from '../../worker/errors.ts';

/** Where `parseArgs` refused the arguments, what it said. */
export function usageProblem(error: unknown): string | null {
  const isUsage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  // Node goes on to explain positional arguments that begin with a dash.
  return isUsage ? error.message.split('. ')[0]! : null;
}

/** One line; null for an error that only we can mend, whose stack belongs on the screen. */
export function failureLine(error: unknown): string | null {
  if (error instanceof AppError) return `${error.code}: ${error.message}`;
  if (error instanceof z.ZodError) return z.prettifyError(error).replaceAll('\n', '; ');
  if (!(error instanceof Error)) return null;
  // Before system errors: undici wraps them in a TypeError.
  if (error.message === 'fetch failed') return `fetch failed: ${connectionProblem(error)}`;
  if (!('syscall' in error)) return null;
  const problem = 'errno' in error && typeof error.errno === 'number' ? systemMessage(error.errno) : error.message;
  return 'path' in error ? `${String(error.path)}: ${problem}` : `${String(error.syscall)}: ${problem}`;
}

/** Why `fetch` could not connect: `connection refused`. */
export function connectionProblem(error: unknown): string {
  if (error instanceof AggregateError) return connectionProblem(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return connectionProblem(error.cause);
  return 'errno' in error && typeof error.errno === 'number' ? systemMessage(error.errno) : error.message;
}

/** `no such file or directory` of -2. */
function systemMessage(errno: number): string {
  return getSystemErrorMessage(errno) ?? `error ${errno}`;
}
