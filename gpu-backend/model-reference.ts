/** Which versions of which model are to be served: `name`, `name@version`, `name@alias`, `name@*`. Pure. */
import { NAME_PATTERN } from '../model-store/layout.ts';
import { ConfigurationError } from '../worker/errors.ts';

/** One entry of `GPU_MODELS`. */
export interface ModelReference {
  readonly name: string;
  /** A version or an alias; `*`: every version; null: every version that an alias names, or all where there is no alias. */
  readonly selector: string | null;
}

/**
 * Reads one entry.
 * @throws ConfigurationError naming `variable`.
 */
export function parseModelReference(variable: string, item: string): ModelReference {
  const [name = '', selector, ...rest] = item.split('@');
  const valid = NAME_PATTERN.test(name) && (selector === undefined || selector === '*' || NAME_PATTERN.test(selector));
  if (!valid || rest.length > 0) {
    throw new ConfigurationError(
      `${variable}: "${item.slice(0, 140)}" is not a name, name@version, name@alias or name@*`,
    );
  }
  return { name, selector: selector ?? null };
}

/** What a store holds of one model. */
export interface StoredModel {
  readonly name: string;
  readonly versions: readonly string[];
  /** Version by alias. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** The versions that are to be served of one model, and the one for requests that name none. */
export interface WantedModel {
  readonly name: string;
  readonly versions: readonly string[];
  readonly defaultVersion: string;
}

/**
 * Picks the versions to serve.
 * @param references those of this model; at least one.
 * @returns null where the references select nothing that is stored. The default is what `defaultAlias` names, else the
 *   first version selected.
 */
export function selectVersions(
  stored: StoredModel,
  references: readonly ModelReference[],
  defaultAlias: string,
): WantedModel | null {
  const selected = references.flatMap(({ selector }) => {
    if (selector === '*') return stored.versions;
    if (selector !== null) return [stored.aliases.get(selector) ?? selector];
    return stored.aliases.size === 0 ? stored.versions : [...stored.aliases.values()];
  });
  const versions = [...new Set(selected)].filter((version) => stored.versions.includes(version));
  const aliased = stored.aliases.get(defaultAlias);
  const defaultVersion = aliased !== undefined && versions.includes(aliased) ? aliased : versions[0];
  return defaultVersion === undefined ? null : { name: stored.name, versions, defaultVersion };
}
