/** Pages of the log: cursors, and lists of several ledgers merged into one. Pure. */
import { RequestError } from '../errors.ts';
import type { ListPosition } from './ledger/records.ts';

/** A page, newest first. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; null on the last. */
  readonly nextCursor: string | null;
}

/** The cursor that begins behind a position. */
export function encodeCursor({ timeMs, id }: ListPosition): string {
  return btoa(`${timeMs}.${id}`).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @throws RequestError `invalid_parameter` where the text is no cursor of ours. */
export function decodeCursor(text: string): ListPosition {
  let decoded = '';
  try {
    decoded = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    // What is not base64 is refused below.
  }
  const match = /^(\d{1,15})\.([a-z0-9_-]{1,120})$/.exec(decoded);
  if (match !== null) return { timeMs: Number(match[1]), id: match[2]! };
  throw new RequestError('invalid_parameter', `"cursor" is "${text.slice(0, 80)}": no cursor of this list`, {
    details: { parameter: 'cursor' },
  });
}

/**
 * Merges lists, each newest first, into one page.
 * @param lists Each with up to `limit` + 1 entries, so that the last page can be told.
 */
export function mergePages<T>(
  lists: readonly (readonly T[])[],
  limit: number,
  position: (item: T) => ListPosition,
): Page<T> {
  const all = lists.flat().sort((a, b) => comparePositions(position(b), position(a)));
  const items = all.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: all.length > limit && last !== undefined ? encodeCursor(position(last)) : null };
}

function comparePositions(a: ListPosition, b: ListPosition): number {
  if (a.timeMs !== b.timeMs) return a.timeMs - b.timeMs;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
