/** Lines of a job's manifest -> inputs. Pure. A line that is no input is a failed item, never a failed job. */

import { jobInputSchema, type ManifestFormat, type ParsedInput } from './records.ts';

/** Longest line in characters. */
export const MAX_LINE_LENGTH = 8192;

/**
 * Parses one line; null for an empty one, and for CSV's header (`url`, `r2` or `image`, perhaps with `id`).
 *
 * NDJSON: `{"url": ...}` or `{"r2": ...}` with an optional `id`, or a JSON string, which is a URL where it has a scheme and an R2
 * key where it has none. CSV (RFC 4180, without line breaks in fields): the image, then optionally the id.
 */
export function parseManifestLine(line: string, format: ManifestFormat, isFirst: boolean): ParsedInput | null {
  const text = line.trim();
  if (text === '') return null;
  if (text.length > MAX_LINE_LENGTH) return failure(`the line has ${text.length} characters; limit ${MAX_LINE_LENGTH}`);
  return format === 'csv' ? parseCsv(text, isFirst) : parseJsonLine(text);
}

function parseJsonLine(text: string): ParsedInput {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return failure(`the line is not JSON: ${text.slice(0, 60)}`);
  }
  if (typeof value === 'string') return named(value, undefined);
  const result = jobInputSchema.safeParse(value);
  if (result.success) return { input: result.data };
  const issue = result.error.issues[0]!;
  return failure(`${issue.path.join('.') || 'line'}: ${issue.message}`);
}

function parseCsv(text: string, isFirst: boolean): ParsedInput | null {
  const [image = '', id] = splitCsv(text);
  if (isFirst && ['url', 'r2', 'image'].includes(image.toLowerCase())) return null;
  return named(image, id === undefined || id === '' ? undefined : id);
}

function named(image: string, id: string | undefined): ParsedInput {
  const name = /^[a-z][a-z0-9+.-]*:\/\//i.test(image) ? { url: image } : { r2: image };
  const result = jobInputSchema.safeParse(id === undefined ? name : { ...name, id });
  return result.success ? { input: result.data } : failure(result.error.issues[0]!.message);
}

/** Fields of one CSV line. */
function splitCsv(line: string): string[] {
  const fields: string[] = [];
  const pattern = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g;
  for (const match of line.matchAll(pattern)) fields.push((match[1]?.replaceAll('""', '"') ?? match[2] ?? '').trim());
  return fields;
}

function failure(message: string): ParsedInput {
  return { error: { code: 'invalid_manifest_line', message } };
}
