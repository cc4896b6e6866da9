/** Structured logs: one JSON object a line on standard output. */

/** How much a line matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The levels from most to least talkative. */
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Writes one event with its fields. An Error among the fields is written as its message. */
export type Log = (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void;

/**
 * A logger that drops what is below `minimum`.
 * @param write takes a finished line, newline included.
 */
export function createLog(minimum: LogLevel, now: () => Date, write: (line: string) => void): Log {
  const least = LOG_LEVELS.indexOf(minimum);
  return (level, event, fields = {}) => {
    if (LOG_LEVELS.indexOf(level) < least) return;
    const entry = { time: now().toISOString(), level, event, ...fields };
    write(`${JSON.stringify(entry, (_, value: unknown) => (value instanceof Error ? value.message : value))}\n`);
  };
}
