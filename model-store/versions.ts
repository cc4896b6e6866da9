/**
 * Aliases and versions: resolve, move, roll back, list, delete, collect garbage. No clock: the time is passed in.
 */
import { ModelError, RequestError } from '../worker/errors.ts';
import { aliasKey, checkName, MODELS_PREFIX, manifestKey, modelFileKey } from './layout.ts';
import { type AliasRecord, type Manifest, parseAlias, parseManifest, type VariantName } from './manifest.ts';
import { getText, listAll, type ObjectHead, type ObjectStore } from './object-store.ts';

/** How many earlier versions an alias remembers, for rollback. */
const ALIAS_HISTORY_LENGTH = 20;

/** What an alias went from and to. */
export interface AliasMove {
  readonly name: string;
  readonly alias: string;
  /** Null where the alias is new. */
  readonly from: string | null;
  readonly to: string;
}

/** One version as `list` shows it. */
export interface VersionSummary {
  readonly name: string;
  readonly version: string;
  /** False for what an unfinished publish left behind: there is no manifest. */
  readonly complete: boolean;
  readonly createdAt: string | null;
  /** Of all files, in bytes. */
  readonly bytes: number;
  readonly variants: readonly VariantName[];
  readonly aliases: readonly string[];
}

/**
 * The version that an alias or a version name means; an alias wins over a version of the same name.
 * @throws ModelError `model_not_found` where neither is there.
 */
export async function resolveVersion(store: ObjectStore, name: string, aliasOrVersion: string): Promise<string> {
  const alias = await readAlias(store, name, aliasOrVersion);
  if (alias !== null) return alias.record.version;
  if ((await store.head(manifestKey(name, aliasOrVersion))) !== null) return aliasOrVersion;
  throw notFound(name, aliasOrVersion);
}

/**
 * The alias's record; null where there is no such alias.
 * @throws ModelError `invalid_manifest`.
 */
export async function resolveAlias(store: ObjectStore, name: string, alias: string): Promise<AliasRecord | null> {
  return (await readAlias(store, name, alias))?.record ?? null;
}

/**
 * The manifest of a published version.
 * @throws ModelError `model_not_found` or `invalid_manifest`.
 */
export async function readManifest(store: ObjectStore, name: string, version: string): Promise<Manifest> {
  const found = await getText(store, manifestKey(name, version));
  if (found === null) throw notFound(name, version);
  const manifest = parseManifest(found.text);
  if (manifest.name === name && manifest.version === version) return manifest;
  throw new ModelError(
    'invalid_manifest',
    `${manifestKey(name, version)} is the manifest of ${manifest.name}@${manifest.version}`,
    { details: { model: name, version } },
  );
}

/**
 * Lets an alias name a version: one write, so that readers see the old one or the new one.
 * @param now RFC 3339.
 * @throws ModelError `model_not_found` where the version is not published.
 * @throws RequestError `conflict` where someone else moved the alias at the same time.
 */
export async function moveAlias(
  store: ObjectStore,
  name: string,
  alias: string,
  version: string,
  now: string,
): Promise<AliasMove> {
  await readManifest(store, name, version);
  const current = await readAlias(store, name, alias);
  if (current?.record.version === version) return { name, alias, from: version, to: version };
  const history = current === null ? [] : [...current.record.history, current.record.version];
  return writeAlias(store, name, alias, current, {
    version,
    updated_at: now,
    history: history.slice(-ALIAS_HISTORY_LENGTH),
  });
}

/**
 * Lets an alias name the version it named before; versions deleted since are passed over.
 * @throws ModelError `model_not_found` where there is no such alias, or nothing to go back to.
 */
export async function rollback(store: ObjectStore, name: string, alias: string, now: string): Promise<AliasMove> {
  const current = await readAlias(store, name, alias);
  if (current === null) {
    throw new ModelError('model_not_found', `${name} has no alias "${alias}"`, { details: { model: name, alias } });
  }
  const history = [...current.record.history];
  for (let version = history.pop(); version !== undefined; version = history.pop()) {
    if ((await store.head(manifestKey(name, version))) !== null) {
      return writeAlias(store, name, alias, current, { version, updated_at: now, history });
    }
  }
  throw new ModelError('model_not_found', `${name}@${alias} is ${current.record.version} and has no earlier version`, {
    details: { model: name, alias, version: current.record.version },
  });
}

/**
 * Removes an alias; the version that it named stays.
 * @returns that version.
 * @throws ModelError `model_not_found` where there is no such alias.
 */
export async function deleteAlias(store: ObjectStore, name: string, alias: string): Promise<string> {
  const current = await readAlias(store, name, alias);
  if (current === null) {
    throw new ModelError('model_not_found', `${name} has no alias "${alias}"`, { details: { model: name, alias } });
  }
  await store.delete([aliasKey(name, alias)]);
  return current.record.version;
}

/** The aliases of a model, with their records. */
export async function listAliases(store: ObjectStore, name: string): Promise<Map<string, AliasRecord>> {
  const prefix = aliasPrefix(name);
  const aliases = new Map<string, AliasRecord>();
  for (const { key } of await listAll(store, prefix)) {
    const found = await getText(store, key);
    if (found !== null) aliases.set(key.slice(prefix.length, -'.json'.length), parseAlias(found.text));
  }
  return aliases;
}

/** All versions, or those of one model, unfinished ones too, by name and version. */
export async function listVersions(store: ObjectStore, name?: string): Promise<VersionSummary[]> {
  const summaries: VersionSummary[] = [];
  const aliases = new Map<string, Map<string, AliasRecord>>();
  for (const group of await listGroups(store, name)) {
    if (!aliases.has(group.name)) aliases.set(group.name, await listAliases(store, group.name));
    const manifest = group.complete ? await readManifest(store, group.name, group.version) : null;
    summaries.push({
      name: group.name,
      version: group.version,
      complete: group.complete,
      createdAt: manifest?.created_at ?? null,
      bytes: group.objects.reduce((sum, object) => sum + object.size, 0),
      variants: manifest === null ? [] : (Object.keys(manifest.variants) as VariantName[]),
      aliases: [...aliases.get(group.name)!]
        .filter(([, { version }]) => version === group.version)
        .map(([alias]) => alias),
    });
  }
  return summaries;
}

/**
 * Deletes a version, its manifest first; also what an unfinished publish left of it.
 * @returns the keys deleted.
 * @throws RequestError `conflict` where an alias names it.
 * @throws ModelError `model_not_found` where nothing of it is there.
 */
export async function deleteVersion(store: ObjectStore, name: string, version: string): Promise<string[]> {
  const keys = (await listAll(store, modelFileKey(name, version, ''))).map(({ key }) => key);
  if (keys.length === 0) throw notFound(name, version);
  await refuseIfAliased(store, name, version);
  await store.delete([manifestKey(name, version)]);
  await store.delete(keys);
  return keys;
}

/**
 * Deletes what unfinished publishes left behind: files of versions without a manifest, none of them younger than the
 * age given. The age must be longer than any publish takes, since a running one looks the same.
 * @param nowMs ms since 1970.
 * @param dryRun only says what would be deleted.
 * @returns the keys deleted.
 */
export async function collectGarbage(
  store: ObjectStore,
  nowMs: number,
  minimumAgeMs: number,
  dryRun = false,
): Promise<string[]> {
  const deleted: string[] = [];
  for (const group of await listGroups(store)) {
    const newest = Math.max(...group.objects.map(({ uploadedAt }) => uploadedAt));
    if (group.complete || nowMs - newest < minimumAgeMs) continue;
    if ((await store.head(manifestKey(group.name, group.version))) !== null) continue;
    const keys = group.objects.map(({ key }) => key);
    if (!dryRun) await store.delete(keys);
    deleted.push(...keys);
  }
  return deleted;
}

interface VersionGroup {
  readonly name: string;
  readonly version: string;
  readonly complete: boolean;
  readonly objects: readonly ObjectHead[];
}

async function listGroups(store: ObjectStore, name?: string): Promise<VersionGroup[]> {
  const prefix = name === undefined ? MODELS_PREFIX : `${MODELS_PREFIX}${checkName('model', name)}/`;
  const groups = new Map<string, ObjectHead[]>();
  for (const object of await listAll(store, prefix)) {
    const [model, version, file] = object.key.slice(MODELS_PREFIX.length).split('/');
    if (!model || !version || !file) continue;
    const id = `${model}/${version}`;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [object]);
    else group.push(object);
  }
  return [...groups].map(([id, objects]) => {
    const [model, version] = id.split('/') as [string, string];
    const complete = objects.some(({ key }) => key === manifestKey(model, version));
    return { name: model, version, complete, objects };
  });
}

interface FoundAlias {
  readonly record: AliasRecord;
  readonly etag: string;
}

async function readAlias(store: ObjectStore, name: string, alias: string): Promise<FoundAlias | null> {
  const found = await getText(store, aliasKey(name, alias));
  return found === null ? null : { record: parseAlias(found.text), etag: found.head.etag };
}

async function writeAlias(
  store: ObjectStore,
  name: string,
  alias: string,
  current: FoundAlias | null,
  record: AliasRecord,
): Promise<AliasMove> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(record)}\n`);
  const onlyIf = current === null ? { absent: true as const } : { etag: current.etag };
  if (!(await store.put(aliasKey(name, alias), bytes, { onlyIf, contentType: 'application/json' }))) {
    throw new RequestError(
      'conflict',
      `${name}@${alias} was moved by someone else at the same time; look and try again`,
      {
        details: { model: name, alias },
      },
    );
  }
  return { name, alias, from: current?.record.version ?? null, to: record.version };
}

async function refuseIfAliased(store: ObjectStore, name: string, version: string): Promise<void> {
  const naming = [...(await listAliases(store, name))].filter(([, record]) => record.version === version);
  if (naming.length === 0) return;
  const aliases = naming.map(([alias]) => alias);
  throw new RequestError('conflict', `${name}/${version} is what ${aliases.join(', ')} names; move the alias first`, {
    details: { model: name, version, aliases },
  });
}

function aliasPrefix(name: string): string {
  return aliasKey(name, 'x').slice(0, -'x.json'.length);
}

function notFound(name: string, version: string): ModelError {
  return new ModelError('model_not_found', `${name} has no version "${version}"`, {
    details: { model: name, version },
  });
}
