/**
 * Policies in the bucket: read, publish, move an alias. A published version never changes; an alias is moved by one
 * write. No clock: the time is passed in.
 */
import { type AliasRecord, parseAlias } from '../../../model-store/manifest.ts';
import { getText, type ObjectStore } from '../../../model-store/object-store.ts';
import { sha256Hex } from '../../../model-store/sha256.ts';
import { utf8 } from '../../bytes.ts';
import { ModerationError, RequestError } from '../../errors.ts';
import { type PolicyReference, policyAliasKey, policyKey } from './layout.ts';
import type { Policy } from './schema.ts';
import { parsePolicy } from './validate.ts';

/** How many earlier versions an alias remembers. */
const ALIAS_HISTORY_LENGTH = 20;

/** What a publish did. */
export interface PolicyPublication {
  readonly name: string;
  readonly version: string;
  /** True where the same version with the same content was there before. */
  readonly alreadyPublished: boolean;
  /** The version that the alias named before; null where the alias is new, or was not moved. */
  readonly movedFrom: string | null;
}

/**
 * The policy that a reference means; an alias wins over a version of the same name.
 * @throws ModerationError `policy_not_found`, `invalid_policy`.
 */
export async function readPolicy(store: ObjectStore, { name, reference }: PolicyReference): Promise<Policy> {
  const alias = await readAlias(store, name, reference);
  const version = alias?.record.version ?? reference;
  const found = await getText(store, policyKey(name, version));
  if (found === null) {
    throw new ModerationError('policy_not_found', `there is no policy ${name}@${reference}`, {
      details: { policy: name, reference },
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(found.text);
  } catch (cause) {
    throw new ModerationError('invalid_policy', `policy ${name}@${version} is not JSON`, { cause });
  }
  const policy = parsePolicy(value);
  if (policy.name === name && policy.version === version) return policy;
  throw new ModerationError(
    'invalid_policy',
    `${policyKey(name, version)} holds policy ${policy.name}@${policy.version}`,
  );
}

/**
 * Publishes a version, whose labels have been checked, and points an alias at it.
 * @param text The file, byte for byte what is stored.
 * @param alias Null: no alias is moved.
 * @param now RFC 3339.
 * @throws ModerationError `invalid_policy`.
 * @throws RequestError `conflict` where the version exists with other content.
 */
export async function publishPolicy(
  store: ObjectStore,
  text: string,
  alias: string | null,
  now: string,
): Promise<PolicyPublication> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ModerationError('invalid_policy', 'the policy is not JSON', { cause });
  }
  const { name, version } = parsePolicy(value);
  const key = policyKey(name, version);
  const bytes = utf8(text);
  const written = await store.put(key, bytes, {
    sha256: await sha256Hex(bytes),
    onlyIf: { absent: true },
    contentType: 'application/json',
  });
  if (!written && (await getText(store, key))?.text !== text) {
    throw new RequestError(
      'conflict',
      `policy ${name}@${version} is there already with other content; versions never change: publish under a new version`,
      { details: { policy: name, version } },
    );
  }
  const movedFrom = alias === null ? null : await moveAlias(store, name, alias, version, now);
  return { name, version, alreadyPublished: !written, movedFrom };
}

async function moveAlias(
  store: ObjectStore,
  name: string,
  alias: string,
  version: string,
  now: string,
): Promise<string | null> {
  const current = await readAlias(store, name, alias);
  if (current?.record.version === version) return version;
  const history = current === null ? [] : [...current.record.history, current.record.version];
  const record: AliasRecord = { version, updated_at: now, history: history.slice(-ALIAS_HISTORY_LENGTH) };
  const onlyIf = current === null ? { absent: true as const } : { etag: current.etag };
  const bytes = utf8(`${JSON.stringify(record)}\n`);
  if (!(await store.put(policyAliasKey(name, alias), bytes, { onlyIf, contentType: 'application/json' }))) {
    throw new RequestError('conflict', `policy alias ${name}@${alias} was moved by someone else at the same time`, {
      details: { policy: name, alias },
    });
  }
  return current?.record.version ?? null;
}

async function readAlias(
  store: ObjectStore,
  name: string,
  alias: string,
): Promise<{ readonly record: AliasRecord; readonly etag: string } | null> {
  const found = await getText(store, policyAliasKey(name, alias));
  return found === null ? null : { record: parseAlias(found.text), etag: found.head.etag };
}
