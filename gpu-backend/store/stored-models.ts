/** Reads what a store holds: names, complete versions, aliases. */
import { aliasKey, checkName, MODELS_PREFIX, manifestKey, NAME_PATTERN } from '../../model-store/layout.ts';
import { parseAlias } from '../../model-store/manifest.ts';
import type { StoredModel } from '../model-reference.ts';
import type { ModelFiles } from './model-files.ts';

/** The names of all models. */
export async function listModelNames(files: ModelFiles): Promise<string[]> {
  return (await files.list(MODELS_PREFIX)).filter((name) => NAME_PATTERN.test(name));
}

/**
 * What is stored of one model. A version without a manifest does not exist.
 * @throws ModelError `invalid_manifest` for an alias that is broken.
 */
export async function readStoredModel(files: ModelFiles, name: string): Promise<StoredModel> {
  const folders = await files.list(`${MODELS_PREFIX}${checkName('model', name)}/`);
  const versions: string[] = [];
  for (const version of folders.filter((folder) => NAME_PATTERN.test(folder))) {
    if ((await files.readText(manifestKey(name, version))) !== null) versions.push(version);
  }
  const aliases = new Map<string, string>();
  for (const file of await files.list(aliasKey(name, 'x').slice(0, -'x.json'.length))) {
    const alias = file.replace(/\.json$/, '');
    const text = NAME_PATTERN.test(alias) && file !== alias ? await files.readText(aliasKey(name, alias)) : null;
    if (text !== null) aliases.set(alias, parseAlias(text).version);
  }
  return { name, versions, aliases };
}
