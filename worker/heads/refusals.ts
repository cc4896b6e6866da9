/** Answers of a head's Durable Object that are errors of the caller's: what is thrown would lose its class over RPC. Pure. */
import { type AppError, HeadError } from '../errors.ts';
import type { Refusal } from './records.ts';

/** There is no head under this name. */
export const NO_HEAD: Refusal = { refused: { code: 'head_not_found', message: 'there is no such head' } };

/** There is no such example. */
export function noExample(id: string): Refusal {
  return { refused: { code: 'example_not_found', message: `the head has no example "${id}"` } };
}

/** There is no such version. */
export function noVersion(version: string): Refusal {
  return { refused: { code: 'head_not_found', message: `the head has no version "${version}"` } };
}

/** There is no such alias. */
export function noAlias(alias: string): Refusal {
  return { refused: { code: 'head_not_found', message: `the head has no alias "${alias}"` } };
}

/** What a check throws, as a refusal; null where it throws nothing. */
export function refusalOf(check: () => void): Refusal | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof HeadError) return asRefusal(error);
    throw error;
  }
}

/** An error as a refusal. */
export function asRefusal({ code, message, details: all }: AppError): Refusal {
  const details = Object.fromEntries(
    Object.entries(all).flatMap(([key, value]): [string, string | number][] =>
      typeof value === 'string' || typeof value === 'number' ? [[key, value]] : [],
    ),
  );
  return { refused: { code, message, details } };
}
