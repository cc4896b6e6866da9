/** The result cache on the way of a request: who may use it, and what it is keyed by. */
import type { Context } from 'hono';
import type { ModelReference } from '../../inference/classifier.ts';
import type { ResultKey } from '../../inference/result-cache.ts';
import type { AppEnvironment } from '../../services.ts';

/** Tenant of deployments and requests without API keys, and of those that share. */
const SHARED_TENANT = 'shared';

/** What the answer to a request depends on, before its version is known. */
export interface CacheableRequest extends Pick<ResultKey, 'image' | 'task' | 'parameters'> {
  readonly reference: ModelReference;
}

/**
 * The cached answer, or the one that `compute` gives, which is then kept. A request with `Cache-Control: no-cache` or `no-store`
 * goes past the cache; `no-store` is not kept either.
 * @throws as `compute`.
 */
export async function cachedAnswer<T extends { readonly model: { readonly version: string } }>(
  c: Context<AppEnvironment>,
  request: CacheableRequest,
  compute: () => Promise<T>,
): Promise<{ answer: T; cache: 'hit' | 'miss' | 'bypass' }> {
  const { resultCache, heads, config } = c.var.services;
  const directives = (c.req.header('cache-control') ?? '').toLowerCase();
  const noStore = directives.includes('no-store');
  if (resultCache === null || noStore) return { answer: await compute(), cache: 'bypass' };
  const { image, task, parameters, reference } = request;
  const tenant = config.resultCacheShared ? SHARED_TENANT : tenantOf(c);
  const addressOf = (version: string): Promise<Request> =>
    resultCache.address({ image, task, parameters, tenant, model: reference.name, version });
  const version = await heads.versionOf(reference);
  const address = await addressOf(version);
  if (!directives.includes('no-cache')) {
    const cached = (await resultCache.get(address)) as T | null;
    if (cached !== null) return { answer: cached, cache: 'hit' };
  }
  const answer = await compute();
  // Keyed by the version that answered: the alias may have moved meanwhile.
  const keep = answer.model.version === version ? address : await addressOf(answer.model.version);
  c.executionCtx.waitUntil(resultCache.put(keep, answer).catch(() => {}));
  return { answer, cache: directives.includes('no-cache') ? 'bypass' : 'miss' };
}

/** Whose answers these are. */
function tenantOf(c: Context<AppEnvironment>): string {
  return c.var.tenant ?? SHARED_TENANT;
}
