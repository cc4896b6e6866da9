/**
 * Where heads are stored in the models bucket. Pure names, no I/O.
 *
 *   heads/<owner>/index/<name>.json                                    what a reader needs: backbone, aliases, versions; one put
 *   heads/<owner>/versions/<name>/<version>/{head.safetensors,report.json}   immutable
 *   heads/<owner>/pictures/<name>/<example>                            pixels that wait to be embedded, or are kept on request
 *
 * A head that another key may use has an index of its own there, which names its owner.
 */
import * as z from 'zod';
import { NAME_PATTERN } from '../../model-store/layout.ts';

const name = z.string().regex(NAME_PATTERN);

/** An alias of a head, as of a model. */
export const headAliasSchema = z.strictObject({ version: name, updated_at: z.string(), history: z.array(name) });
export type HeadAlias = z.infer<typeof headAliasSchema>;

/** One version, for lists. */
export const headVersionSchema = z.strictObject({
  version: name,
  created_at: z.string(),
  method: z.string(),
  examples: z.int(),
  classes: z.int(),
  /** Of pictures that it has not seen; null where it could not be estimated. */
  accuracy: z.number().nullable(),
  bytes: z.int(),
  /** Of head.safetensors. */
  sha256: z.string(),
  backbone: z.strictObject({ name, version: name }),
});
export type HeadVersion = z.infer<typeof headVersionSchema>;

/** What the index object holds. */
export const headIndexSchema = z.strictObject({
  schema_version: z.literal(1),
  name,
  /** The API key that made it, or `anonymous`. */
  owner: z.string(),
  created_at: z.string(),
  aliases: z.record(z.string(), headAliasSchema),
  versions: z.array(headVersionSchema),
});
export type HeadIndex = z.infer<typeof headIndexSchema>;

/** What the index of a key holds that a head is shared with. */
export const headGrantSchema = z.strictObject({ schema_version: z.literal(1), name, granted_by: z.string() });

/** Prefix of a tenant's indexes. */
export function headIndexPrefix(tenant: string): string {
  return `heads/${tenant}/index/`;
}

/** Key of a head's index. */
export function headIndexKey(tenant: string, head: string): string {
  return `${headIndexPrefix(tenant)}${head}.json`;
}

/** Key of a file of a version. */
export function headFileKey(owner: string, head: string, version: string, file: string): string {
  return `${headVersionsPrefix(owner, head)}${version}/${file}`;
}

/** Prefix of every version of a head. */
export function headVersionsPrefix(owner: string, head: string): string {
  return `heads/${owner}/versions/${head}/`;
}

/** Key of an example's picture. */
export function headPictureKey(owner: string, head: string, example: string): string {
  return `${headPicturesPrefix(owner, head)}${example}`;
}

/** Prefix of a head's pictures. */
export function headPicturesPrefix(owner: string, head: string): string {
  return `heads/${owner}/pictures/${head}/`;
}
