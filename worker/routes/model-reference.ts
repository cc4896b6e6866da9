/** How requests name a model: nothing (the default), `name`, or `name@version-or-alias`. */

import { checkName } from '../../model-store/layout.ts';
import type { Config } from '../config.ts';
import type { ModelReference } from '../inference/classifier.ts';

/**
 * Parses a model's name as a request gives it.
 * @throws ModelError `model_not_found` where it cannot name anything.
 */
export function parseModelReference(
  text: string | undefined,
  config: Pick<Config, 'defaultModel' | 'defaultModelVersion'>,
): ModelReference {
  if (text === undefined) return { name: config.defaultModel, reference: config.defaultModelVersion };
  const at = text.indexOf('@');
  const name = checkName('model', at < 0 ? text : text.slice(0, at));
  if (at >= 0) return { name, reference: checkName('version', text.slice(at + 1)) };
  return { name, reference: name === config.defaultModel ? config.defaultModelVersion : 'latest' };
}
