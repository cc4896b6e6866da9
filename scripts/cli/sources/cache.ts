/** What the environment says of the hub, and of the folder where things from it are kept. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { HubAccess } from './hub-client.ts';

const DEFAULT_ENDPOINT = 'https://huggingface.co';

type Environment = Readonly<Record<string, string | undefined>>;

/** `HF_ENDPOINT` and `HF_TOKEN`. */
export function hubAccess(env: Environment): HubAccess {
  return { endpoint: env.HF_ENDPOINT || DEFAULT_ENDPOINT, token: env.HF_TOKEN || null };
}

/** `BIT_EDGE_CACHE`, or `bit-edge` in the user's cache folder. */
export function cacheRoot(env: Environment): string {
  return env.BIT_EDGE_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bit-edge');
}
