/** Where policies lie in the bucket, as `model-store/layout.ts` says. Pure names, no I/O. */
import { NAME_PATTERN } from '../../../model-store/layout.ts';
import { ModerationError } from '../../errors.ts';

/** How a request names a policy: a name, and an alias or version of it. */
export interface PolicyReference {
  readonly name: string;
  readonly reference: string;
}

/** The alias that answers where a request names no version. */
export const DEFAULT_POLICY_ALIAS = 'latest';

/**
 * Parses `name` or `name@version-or-alias`.
 * @throws ModerationError `policy_not_found` where it cannot name anything.
 */
export function parsePolicyReference(text: string): PolicyReference {
  const [name, reference = DEFAULT_POLICY_ALIAS, ...rest] = text.split('@');
  checkPolicyName(name!);
  checkPolicyName(reference);
  if (rest.length > 0) throw notFound(text);
  return { name: name!, reference };
}

/** Key of one version of a policy. */
export function policyKey(name: string, version: string): string {
  return `policies/${checkPolicyName(name)}/${checkPolicyName(version)}.json`;
}

/** Key of a policy's alias; the object is an `AliasRecord` as JSON. */
export function policyAliasKey(name: string, alias: string): string {
  return `aliases/policies/${checkPolicyName(name)}/${checkPolicyName(alias)}.json`;
}

function checkPolicyName(name: string): string {
  if (!NAME_PATTERN.test(name)) throw notFound(name);
  return name;
}

function notFound(name: string): ModerationError {
  return new ModerationError('policy_not_found', `there is no policy "${name.slice(0, 80)}"`, {
    details: { policy: name.slice(0, 80) },
  });
}
