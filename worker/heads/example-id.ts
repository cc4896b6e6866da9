/** Names of examples: the same picture with the same labels is the same example, however often it is sent. Pure but for hashing. */
import { sha256Hex } from '../../model-store/sha256.ts';

const ID_DIGITS = 24;

/** The id of an example. @param sha256 of its content. */
export async function exampleIdOf(sha256: string, labels: readonly string[]): Promise<string> {
  const text = [sha256, ...labels].join('\n');
  return `ex_${(await sha256Hex(new TextEncoder().encode(text))).slice(0, ID_DIGITS)}`;
}

/** What `exampleIdOf` gives. */
export const EXAMPLE_ID_PATTERN = /^ex_[0-9a-f]{24}$/;
