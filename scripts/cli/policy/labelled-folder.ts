/** A folder of labelled images: `<category>/<file>`, `none/<file>`, or `labels.json` with the categories of each file. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import * as z from 'zod';
import { RequestError } from '../../../worker/errors.ts';

const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp']);

/** The folder of images that no category should catch. */
const NONE = 'none';

const labelsSchema = z.record(z.string(), z.array(z.string()));

/** One image and the categories that it belongs to. */
export interface LabelledImage {
  readonly file: string;
  readonly expected: ReadonlySet<string>;
}

/**
 * Lists the images of a folder, by name.
 * @param categories Names that the policy has.
 * @throws RequestError `invalid_body` where a folder or a label names no category, or there is no image.
 */
export async function listLabelledImages(folder: string, categories: readonly string[]): Promise<LabelledImage[]> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory() && IMAGE_EXTENSIONS.has(extname(entry.name).toLowerCase()))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
  if (files.length === 0) throw new RequestError('invalid_body', `${folder} holds no image`);
  const labels = await readLabels(folder);
  return files.map((file) => {
    const path = file.replaceAll('\\', '/');
    const directory = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : NONE;
    const names = labels?.[path] ?? (directory === NONE ? [] : [directory]);
    for (const name of names) {
      if (categories.includes(name)) continue;
      throw new RequestError(
        'invalid_body',
        `${path}: the policy has no category "${name}"; it has ${categories.join(', ')}`,
      );
    }
    return { file: join(folder, file), expected: new Set(names) };
  });
}

async function readLabels(folder: string): Promise<z.infer<typeof labelsSchema> | null> {
  let text: string;
  try {
    text = await readFile(join(folder, 'labels.json'), 'utf8');
  } catch {
    return null;
  }
  const result = labelsSchema.safeParse(JSON.parse(text));
  if (result.success) return result.data;
  throw new RequestError('invalid_body', `${join(folder, 'labels.json')} must map file names to lists of categories`);
}
