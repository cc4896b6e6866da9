/** How much memory bodies and images may take, so that the model that they wait for can still be loaded. */
import type { Config } from './config.ts';
import type { MemoryBudget } from './inference/memory-budget.ts';
import { BASELINE_BYTES, decodeHeadroomBytes } from './inference/memory-plan.ts';
import type { ModelHost } from './inference/model-host.ts';

/** Share of the budget that bodies leave to a model that only they name, until one is loaded: those who hold a body wait for it. */
const COLD_MODEL_SHARE = 0.6;

/** The services of an isolate that decide on its memory. */
interface MemoryServices {
  readonly budget: MemoryBudget;
  readonly host: ModelHost;
  readonly config: Config;
}

/** What a load takes if only the body says of which model: a share of the budget, until one is loaded. */
export function unknownLoadRoom({ budget, host, config }: MemoryServices): () => number {
  const model = Math.ceil(COLD_MODEL_SHARE * (config.memoryBudgetBytes - BASELINE_BYTES));
  return () => Math.max(0, model - host.committedHeapBytes - budget.growthBytes);
}

/** The same, and at least what the default model's takes: it is likely to be the one. */
export async function likelyLoadRoom(services: MemoryServices): Promise<() => number> {
  const { host, config } = services;
  const share = unknownLoadRoom(services);
  try {
    const room = await host.loadRoom(config.defaultModel, config.defaultModelVersion);
    return () => Math.max(share(), room());
  } catch {
    // The body may name another model; if it does not, loading this one says what is wrong with it.
    return share;
  }
}

/**
 * What bodies must leave free: room to decode one, and to load the model that they wait for.
 * @param loadRoom what that load takes.
 */
export function bodyHeadroomBytes({ budget }: Pick<MemoryServices, 'budget'>, loadRoom: () => number): number {
  const load = loadRoom();
  return load + decodeHeadroomBytes(budget.capacityBytes - load);
}

/** The largest image that has room beside the model, in bytes. */
export function imageRoom(
  { budget, config }: Pick<MemoryServices, 'budget' | 'config'>,
  loadRoom: () => number,
): number {
  const room = budget.capacityBytes - bodyHeadroomBytes({ budget }, loadRoom);
  return Math.min(config.maxBodyBytes, Math.max(0, room));
}
