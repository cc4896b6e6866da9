/** Aliases that move, go and roll back, and versions that go: each a change, or a refusal. */
import type { Refusal } from './records.ts';
import { noAlias, noVersion } from './refusals.ts';
import type { VersionStore } from './version-store.ts';

/** Points an alias at a version. @returns the version before, or null. */
export function moveAlias(versions: VersionStore, alias: string, version: string): { from: string | null } | Refusal {
  if (versions.version(version) === null) return noVersion(version);
  return { from: versions.moveAlias(alias, version, new Date().toISOString()) };
}

/** Removes an alias. */
export function deleteAlias(versions: VersionStore, alias: string): { from: string } | Refusal {
  const current = versions.alias(alias);
  if (current === null) return noAlias(alias);
  versions.deleteAlias(alias);
  return { from: current.version };
}

/** Points an alias at the version that it named before; versions deleted since are passed over. */
export function rollback(versions: VersionStore, alias: string): { from: string; to: string } | Refusal {
  const current = versions.alias(alias);
  if (current === null) return noAlias(alias);
  const history = [...current.history];
  for (let to = history.pop(); to !== undefined; to = history.pop()) {
    if (versions.version(to) === null) continue;
    versions.setAlias(alias, { version: to, updated_at: new Date().toISOString(), history });
    return { from: current.version, to };
  }
  return { refused: { code: 'head_not_found', message: `alias "${alias}" has no earlier version` } };
}

/** Deletes a version that no alias names. */
export function deleteVersion(versions: VersionStore, version: string): null | Refusal {
  if (versions.version(version) === null) return noVersion(version);
  const naming = Object.entries(versions.aliases()).filter(([, record]) => record.version === version);
  if (naming.length > 0) {
    const aliases = naming.map(([alias]) => alias).join(', ');
    return { refused: { code: 'conflict', message: `${version} is what ${aliases} names; move the alias first` } };
  }
  versions.deleteVersion(version);
  return null;
}
