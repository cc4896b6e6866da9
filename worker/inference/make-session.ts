/** From a version's files to a session, in the engine or in onnxruntime. Files are verified; weights come as a stream. */
import type { StartDigest } from '../../model-store/digest.ts';
import {
  type BlobCache,
  keepLarge,
  passOnVerified,
  readVerified,
  readVerifiedPieces,
  type VerifiedPieces,
} from '../../model-store/load.ts';
import type { Manifest } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import type { PieceFile } from '../../model-store/piece-file.ts';
import { ModelError, RuntimeError } from '../errors.ts';
import { startEngineSession } from './engine/engine-session.ts';
import type { InferenceSession } from './inference-session.ts';
import type { EngineVersion, OnnxRuntimeVersion, PreparedVersion } from './prepare-variant.ts';
import type { OrtRuntime } from './runtime.ts';

/** What a session is made with. */
export interface SessionOptions {
  readonly store: ObjectStore;
  readonly blobs: BlobCache | null;
  readonly startDigest: StartDigest;
  /** The compiled kernels of the engine. */
  readonly engine: WebAssembly.Module;
  /** Starts onnxruntime, or gives the one that runs. */
  runtime(): Promise<OrtRuntime>;
  /** Milliseconds; may stand still. */
  now(): number;
}

/** A session, and when its files were there. */
export interface MadeSession {
  readonly session: InferenceSession;
  /** By `now`. */
  readonly filesAt: number;
}

/**
 * Makes a session.
 * @param others what else must be there before it: nothing may be awaited between a session of onnxruntime and its use, for another
 * model's abort may take the runtime.
 * @param signal aborted where nobody waits any more.
 * @throws ModelError `model_unavailable`, `model_corrupt`, `model_failed`; RuntimeError `inference_failed`. No memory is held then.
 */
export function makeSession(
  options: SessionOptions,
  manifest: Manifest,
  prepared: PreparedVersion,
  others: Promise<unknown>,
  signal: AbortSignal,
): Promise<MadeSession> {
  return prepared.kind === 'bit'
    ? makeEngineSession(options, manifest, prepared, others, signal)
    : makeOrtSession(options, manifest, prepared, others, signal);
}

/** Weights go straight to their place: of the file there is never more than a piece besides. */
async function makeEngineSession(
  { store, blobs, startDigest, engine, now }: SessionOptions,
  manifest: Manifest,
  { network, plan }: EngineVersion,
  others: Promise<unknown>,
  signal: AbortSignal,
): Promise<MadeSession> {
  const file = manifest.variants[manifest.default_variant]!.weights;
  const unfinished = startEngineSession(engine, network, plan);
  let cached = true;
  if (file !== null) {
    ({ cached } = await passOnVerified(store, manifest, file, blobs, { startDigest, signal }, unfinished.weights));
  }
  const filesAt = now();
  const session = unfinished.finish();
  await others;
  signal.throwIfAborted();
  if (blobs !== null && file !== null && !cached) keepLarge(store, manifest, file, blobs);
  return { session, filesAt };
}

/** Each piece of the weights is given back once the session has it. */
async function makeOrtSession(
  { store, blobs, startDigest, runtime, now }: SessionOptions,
  manifest: Manifest,
  prepared: OnnxRuntimeVersion,
  others: Promise<unknown>,
  signal: AbortSignal,
): Promise<MadeSession> {
  const { model, weights: file } = manifest.variants[manifest.default_variant]!;
  const weightsRead: Promise<VerifiedPieces> | null =
    file && readVerifiedPieces(store, manifest, file, blobs, { startDigest, signal });
  try {
    const graph = prepared.graph ?? readVerified(store, manifest, model, blobs);
    const [graphBytes, weights] = await Promise.all([graph, weightsRead, others]);
    const started = await runtime();
    signal.throwIfAborted();
    const filesAt = now();
    const external = new Map(file === null || weights === null ? [] : [[file.path, weights.pieces] as const]);
    const session = createSession(started, graphBytes, external, manifest);
    checkNames(session, manifest);
    if (blobs !== null && file !== null && weights?.cached === false) keepLarge(store, manifest, file, blobs);
    return { session, filesAt };
  } finally {
    const released = weightsRead?.then(
      ({ pieces }) => pieces.release(),
      () => {},
    );
    // Where another file failed, the weights are still on their way; their memory is leased until they have gone. Not where the
    // bucket itself hangs.
    if (!signal.aborted) await released;
  }
}

/** Releases a session without what its manifest promises. @throws ModelError `model_corrupt`. */
function checkNames(session: InferenceSession, { name, version, variants, default_variant: variant }: Manifest): void {
  const { inputs, outputs } = variants[variant]!;
  const [input] = session.inputs;
  const given = new Set(session.outputs.map((output) => output.name));
  const isAsPromised = session.inputs.length === 1 && inputs.length === 1 && input!.name === inputs[0]!.name;
  if (isAsPromised && outputs.every((output) => given.has(output.name))) return;
  session.release();
  throw new ModelError('model_corrupt', `${name}@${version}: inputs or outputs of the manifest are not the graph's`);
}

function createSession(
  runtime: OrtRuntime,
  graph: Uint8Array,
  externalData: ReadonlyMap<string, PieceFile>,
  { name, version }: Manifest,
): InferenceSession {
  try {
    return runtime.createSession(graph, { externalData });
  } catch (cause) {
    if (!(cause instanceof RuntimeError)) throw cause;
    throw new ModelError('model_unavailable', `${name}@${version} could not be made ready: ${cause.message}`, {
      cause,
      retryAfterSeconds: 1,
    });
  }
}
