/** Whether a model can answer without a load, and the wait for one that cannot. */
import type { Context } from 'hono';
import { RuntimeError } from '../../errors.ts';
import type { ModelReference } from '../../inference/classifier.ts';
import type { AppEnvironment } from '../../services.ts';

/**
 * How long a request that does not ask to wait still waits for a load, in ms: clients that answer 503 with an immediate retry
 * (`@huggingface/inference` does) then ask once in this time instead of hundreds of times a second.
 */
const GRACE_MS = 2_000;

/** True where the version that `reference` stands for can answer now. @throws ModelError `model_not_found`. */
export async function isLoaded(c: Context<AppEnvironment>, asked: ModelReference): Promise<boolean> {
  const { host, heads } = c.var.services;
  const { name, reference } = await heads.networkOf(asked);
  const version = await host.resolve(name, reference);
  return host.loadedModels.some(({ manifest }) => manifest.name === name && manifest.version === version);
}

/**
 * Lets a request through whose model is loaded, or becomes so within `graceMs`. The load goes on behind the response.
 * @throws RuntimeError `not_ready` where it takes longer; and as the load does.
 */
export async function requireLoaded(
  c: Context<AppEnvironment>,
  reference: ModelReference,
  graceMs = GRACE_MS,
): Promise<void> {
  if (await isLoaded(c, reference)) return;
  const { host, heads } = c.var.services;
  const network = await heads.networkOf(reference);
  // What can never be loaded is refused, not waited for.
  await host.loadRoom(network.name, network.reference);
  const load = host.get(network.name, network.reference, (promise) => c.executionCtx.waitUntil(promise));
  // Whoever gave up waiting has been answered; what went wrong is found by the next look.
  load.catch(() => {});
  if (graceMs > 0) {
    const { promise: grace, resolve } = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => resolve('late'), graceMs);
    try {
      if ((await Promise.race([load, grace])) !== 'late') return;
    } finally {
      clearTimeout(timer);
    }
  }
  const name = `${reference.name}@${reference.reference}`;
  throw new RuntimeError('not_ready', `Model ${name} is currently loading`, { retryAfterSeconds: 2 });
}
