/**
 * `--labels FILE`: the names of the classes, the right answers for images, or both; the format is recognized. Pure.
 */
import * as z from 'zod';
import { ModelError } from '../../../worker/errors.ts';

/** What a labels file says. */
export interface LabelsFile {
  /** Names of the classes by index; null where the file has none. */
  readonly names: readonly string[] | null;
  /** Index of the right class by image path; null where the file has none. */
  readonly truth: ReadonlyMap<string, number> | null;
}

const names = z.array(z.string()).min(1);
const truth = z.record(z.string(), z.int().nonnegative());
const both = z.object({ labels: names.optional(), files: truth.optional() });
const namesByIndex = z.record(z.string().regex(/^\d+$/), z.string());

/**
 * Parses a labels file: a JSON array of names; `{"0": name}` (HF's id2label); `{path: index}`; `{"labels": [...],
 * "files": {path: index}}`; or text with a name a line.
 * @param file what to call it in messages.
 * @throws ModelError `invalid_model_config`.
 */
export function parseLabelsFile(text: string, file: string): LabelsFile {
  if (!/^\s*[[{]/.test(text)) {
    const lines = text.split(/\r?\n/).map((line) => line.trim());
    if (lines.at(-1) === '') lines.pop();
    const empty = lines.indexOf('');
    if (lines.length === 0 || empty >= 0) throw invalid(file, `line ${empty + 1 || 1} is empty; one name a line`);
    return { names: lines, truth: null };
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, cause instanceof Error ? cause.message : 'not JSON');
  }
  const list = names.safeParse(json);
  if (list.success) return { names: list.data, truth: null };
  const indexed = namesByIndex.safeParse(json);
  if (indexed.success) return { names: inOrder(indexed.data, file), truth: null };
  const paths = truth.safeParse(json);
  if (paths.success) return { names: null, truth: new Map(Object.entries(paths.data)) };
  const mixed = both.safeParse(json);
  if (mixed.success && (mixed.data.labels !== undefined || mixed.data.files !== undefined)) {
    const { labels, files } = mixed.data;
    return { names: labels ?? null, truth: files === undefined ? null : new Map(Object.entries(files)) };
  }
  throw invalid(
    file,
    'neither names ([...], {"0": name}, lines) nor answers ({path: index}, {"files": {path: index}})',
  );
}

/**
 * The right class of an image: by its path from the folder or from the folder's parent, or by its file name.
 * @returns null where the file does not say.
 */
export function truthOf(truth: ReadonlyMap<string, number>, folderName: string, path: string): number | null {
  const candidates = [path, `${folderName}/${path}`, path.slice(path.lastIndexOf('/') + 1)];
  for (const candidate of candidates) {
    const index = truth.get(candidate);
    if (index !== undefined) return index;
  }
  return null;
}

function inOrder(record: Readonly<Record<string, string>>, file: string): string[] {
  const count = Object.keys(record).length;
  return Array.from({ length: count }, (_, index) => {
    const name = record[String(index)];
    if (name === undefined) throw invalid(file, `has ${count} names but none for ${index}`);
    return name;
  });
}

function invalid(file: string, problem: string): ModelError {
  return new ModelError('invalid_model_config', `${file}: ${problem}`, { details: { file } });
}
