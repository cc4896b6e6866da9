/**
 * Where things lie in the bucket. Pure names, no I/O.
 *
 *   models/<name>/<version>/{manifest.json, model.onnx, weights.bin, labels.json, preprocessor.json, report.json}
 *   aliases/models/<name>/<alias>.json     {"version": "..."}: moved by one put, so a reader sees the old or the new
 *   policies/<name>/<version>.json         and aliases/policies/<name>/<alias>.json, the same way
 *
 * The manifest is written last: a version without one does not exist.
 */
import { ModelError } from '../worker/errors.ts';

/** Names, versions and aliases: 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * Checks a name, version or alias before it becomes part of a key.
 * @throws ModelError `model_not_found` where it cannot name anything.
 */
export function checkName(kind: 'model' | 'version' | 'alias', name: string): string {
  if (!NAME_PATTERN.test(name)) {
    throw new ModelError('model_not_found', `"${name.slice(0, 80)}" is not a ${kind} name: 1 to 64 of a-z 0-9 . _ -`, {
      details: { [kind]: name.slice(0, 80) },
    });
  }
  return name;
}

/** Prefix of every model, version and file: `models/`. */
export const MODELS_PREFIX = 'models/';

/** Key of one file of one version. */
export function modelFileKey(name: string, version: string, path: string): string {
  return `${MODELS_PREFIX}${checkName('model', name)}/${checkName('version', version)}/${path}`;
}

/** Key of a version's manifest, the file that makes the version exist. */
export function manifestKey(name: string, version: string): string {
  return modelFileKey(name, version, 'manifest.json');
}

/** Key of a model's alias; the object is `AliasRecord` as JSON. */
export function aliasKey(name: string, alias: string): string {
  return `aliases/models/${checkName('model', name)}/${checkName('alias', alias)}.json`;
}
