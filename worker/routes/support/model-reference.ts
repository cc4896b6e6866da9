/** How requests name a model: nothing (the default), `name`, or `name@version-or-alias`. */

import type { Context } from 'hono';
import { checkName } from '../../../model-store/layout.ts';
import type { Config } from '../../config.ts';
import type { ModelReference } from '../../inference/classifier.ts';
import type { AppEnvironment } from '../../services.ts';

/**
 * Parses a model's name as a request gives it.
 * @param tenant whose heads may be meant too.
 * @throws ModelError `model_not_found` where it cannot name anything.
 */
export function parseModelReference(
  text: string | undefined,
  config: Pick<Config, 'defaultModel' | 'defaultModelVersion'>,
  tenant?: string,
): ModelReference {
  const named = parseName(text, config);
  return tenant === undefined ? named : { ...named, tenant };
}

function parseName(
  text: string | undefined,
  config: Pick<Config, 'defaultModel' | 'defaultModelVersion'>,
): ModelReference {
  if (text === undefined) return { name: config.defaultModel, reference: config.defaultModelVersion };
  const at = text.indexOf('@');
  const name = checkName('model', at < 0 ? text : text.slice(0, at));
  if (at >= 0) return { name, reference: checkName('version', text.slice(at + 1)) };
  return { name, reference: name === config.defaultModel ? config.defaultModelVersion : 'latest' };
}

/** Whose jobs and heads a request means: those of its API key, or of everyone where no key is needed. */
export function tenantOf(c: Context<AppEnvironment>): string {
  return c.var.tenant ?? 'anonymous';
}
