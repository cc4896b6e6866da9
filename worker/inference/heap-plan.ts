/** How WASM memory is shared: what one more model takes, and which ones leave for it. Pure. */
import { plannedHeapBytes, type SessionMemory } from './memory-plan.ts';
import type { LoadedModel } from './model-loader.ts';

/** What a plan is made from. */
export interface HeapState {
  /** Loaded models by `name@version`, least recently used first. */
  readonly loaded: ReadonlyMap<string, Pick<LoadedModel, 'engine' | 'memory'>>;
  /** Bytes that an isolate has for its models' memory: `modelRoomBytes`. */
  readonly modelBytes: number;
  /** Bytes of onnxruntime's heap, which never shrinks; 0 before it has started. */
  readonly runtimeBytes: number;
  /** By how much the heap of several models came out larger than planned: allowed for from then on. */
  readonly sharedExcessBytes: number;
}

/** Room for one more model. */
export interface HeapPlan {
  /** Models that have to leave, by `name@version`. */
  readonly leaving: ReadonlySet<string>;
  /** Bytes of WASM memory once the model is there. */
  readonly plannedBytes: number;
  /** False: onnxruntime has to leave too, with its heap. */
  readonly keepsRuntime: boolean;
}

/** What the loaded models take that one of the two runs. */
export function* memoriesOf(
  { loaded }: Pick<HeapState, 'loaded'>,
  engine: LoadedModel['engine'],
  without: ReadonlySet<string> = new Set(),
): Generator<SessionMemory, void> {
  for (const [id, model] of loaded) if (model.engine === engine && !without.has(id)) yield model.memory;
}

/** Chooses the least recently used models to release until one more fits. */
export function planHeap(memory: SessionMemory, state: HeapState): HeapPlan {
  const leaving = new Set<string>();
  for (const id of state.loaded.keys()) {
    if (planWithout(leaving, memory, state).neededBytes <= state.modelBytes) break;
    leaving.add(id);
  }
  const { plannedBytes, keepsRuntime } = planWithout(leaving, memory, state);
  return { leaving, plannedBytes, keepsRuntime };
}

/**
 * What the memory comes to with one more session and without those that leave. onnxruntime's heap never shrinks: beside the engine
 * it counts as it is, and leaves with the last model in it.
 */
function planWithout(leaving: ReadonlySet<string>, memory: SessionMemory, state: HeapState) {
  const { runtimeBytes, sharedExcessBytes } = state;
  const isEngine = memory.runtimeBytes === 0;
  const staying = [...memoriesOf(state, 'onnxruntime', leaving)];
  const sessions = isEngine ? staying : [...staying, memory];
  const engineBytes = plannedHeapBytes(memoriesOf(state, 'bit', leaving)) + (isEngine ? memory.sessionBytes : 0);
  const keepsRuntime =
    plannedHeapBytes(staying) > 0 || (!isEngine && (engineBytes === 0 || runtimeBytes <= plannedHeapBytes(sessions)));
  const heap = Math.max(plannedHeapBytes(sessions), engineBytes > 0 && keepsRuntime ? runtimeBytes : 0);
  const margin =
    sessions.length === 0 ? 0 : Math.max(...sessions.map(({ marginBytes }) => marginBytes), sharedExcessBytes);
  return { plannedBytes: heap + engineBytes, neededBytes: heap + engineBytes + margin, keepsRuntime };
}
