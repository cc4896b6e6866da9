/**
 * Sessions on the best provider that works. Runs in the engine's thread: `run` of onnxruntime-node blocks its thread.
 */
import type { InferenceSession } from 'onnxruntime-common';
import { float16ToFloat32 } from '../model-store/float-formats.ts';
import { RuntimeError } from '../worker/errors.ts';
import { DATATYPE_BYTES, type Datatype, type NumericTensor, viewNumeric } from '../worker/oip/datatypes.ts';
import type { LoadRequest, LoadResult, Provider, RawTensor, RejectedProvider, RunResult } from './engine-protocol.ts';
import type { OnnxRuntime } from './onnxruntime.ts';
import { formsFor, graphForms } from './precision.ts';

/** A provider whose outputs are further from the CPU's, relative to the largest, is not used: its driver is broken. */
const MAX_DEVIATION = 0.02;

const ORT_TYPES = { UINT8: 'uint8', FP16: 'float16', FP32: 'float32' } as const;
type ServedDatatype = keyof typeof ORT_TYPES;

function isServed(datatype: Datatype): datatype is ServedDatatype {
  return Object.hasOwn(ORT_TYPES, datatype);
}

/**
 * Opens a session: the first provider that loads the model, runs it at every warm-up size and agrees with the CPU.
 * @throws RuntimeError `inference_failed`, with every provider's reason, where none does.
 */
export async function openSession(
  runtime: OnnxRuntime,
  request: LoadRequest,
  now: () => number,
): Promise<{ session: InferenceSession; result: LoadResult }> {
  const rejected: RejectedProvider[] = [];
  const forms = await graphForms(request.path);
  try {
    const cpuForm = formsFor('cpu', forms)[0]!;
    const candidates = request.providers.flatMap((provider) =>
      formsFor(provider, forms).map((form) => ({ provider, form })),
    );
    for (const { provider, form } of candidates) {
      const { precision, path } = form;
      let session: InferenceSession | null = null;
      try {
        const startMs = now();
        session = await createSession(runtime, path, provider, request.threads);
        const loadMs = now() - startMs;
        for (const rows of request.warmBatches) {
          await runSession(runtime, session, warmUpInputs(request, rows), request.outputs);
        }
        const warmUpMs = now() - startMs - loadMs;
        const deviation = provider === 'cpu' ? null : await deviationFromCpu(runtime, session, request, cpuForm.path);
        return { session, result: { provider, precision, rejected, loadMs, warmUpMs, deviation } };
      } catch (error) {
        await session?.release();
        rejected.push({ provider, precision, reason: error instanceof Error ? error.message.trim() : String(error) });
      }
    }
  } finally {
    await forms.dispose();
  }
  const reasons = rejected.map(({ provider, precision, reason }) => `${provider} ${precision}: ${reason}`).join('; ');
  throw new RuntimeError('inference_failed', `no provider runs "${request.session}": ${reasons}`);
}

async function createSession(
  runtime: OnnxRuntime,
  path: string,
  provider: Provider,
  threads: number,
): Promise<InferenceSession> {
  return await runtime.InferenceSession.create(path, {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    ...(threads > 0 && { intraOpNumThreads: threads }),
  });
}

/** Runs a session once. Outputs are copies that may be transferred to another thread. */
export async function runSession(
  runtime: OnnxRuntime,
  session: InferenceSession,
  inputs: readonly RawTensor[],
  outputs: readonly string[],
): Promise<RunResult['outputs']> {
  const feeds = Object.fromEntries(inputs.map((input) => [input.name, toOrt(runtime, input)]));
  const results = await session.run(feeds, outputs);
  return outputs.map((name) => {
    const tensor = results[name]!;
    const datatype = (Object.keys(ORT_TYPES) as ServedDatatype[]).find((each) => ORT_TYPES[each] === tensor.type);
    const data = tensor.data;
    if (datatype === undefined || !ArrayBuffer.isView(data)) {
      throw new RuntimeError('inference_failed', `output "${name}" is of type ${tensor.type}, which we do not serve`);
    }
    const buffer = new ArrayBuffer(data.byteLength);
    new Uint8Array(buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return { name, datatype, shape: tensor.dims, buffer };
  });
}

function toOrt(runtime: OnnxRuntime, { name, datatype, shape, buffer }: RawTensor) {
  if (!isServed(datatype))
    throw new RuntimeError('inference_failed', `input "${name}" is ${datatype}, which we do not serve`);
  const data = viewNumeric(datatype, buffer, 0, buffer.byteLength / DATATYPE_BYTES[datatype]);
  return new runtime.Tensor(ORT_TYPES[datatype], data, shape);
}

/** Inputs of `rows` rows that look like noise and are the same every time. */
function warmUpInputs(request: LoadRequest, rows: number): RawTensor[] {
  return request.inputs.map(({ name, datatype, rowShape }) => {
    if (!isServed(datatype))
      throw new RuntimeError('inference_failed', `input "${name}" is ${datatype}, which we do not serve`);
    const shape = [rows, ...rowShape];
    const count = shape.reduce((product, dimension) => product * dimension, 1);
    const data = viewNumeric(datatype, new ArrayBuffer(count * DATATYPE_BYTES[datatype]), 0, count);
    let state = 1;
    for (let index = 0; index < count; index++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[index] = datatype === 'FP16' ? 0x3800 | (state >>> 26) : state >>> 24;
    }
    return { name, datatype, shape, buffer: data.buffer as ArrayBuffer };
  });
}

/**
 * Compares a session with the CPU provider on one row.
 * @returns the largest difference relative to the output's largest magnitude.
 * @throws RuntimeError `inference_failed` where it is over the limit.
 */
async function deviationFromCpu(
  runtime: OnnxRuntime,
  session: InferenceSession,
  request: LoadRequest,
  cpuPath: string,
): Promise<number> {
  const found = await runSession(runtime, session, warmUpInputs(request, 1), request.outputs);
  const cpu = await createSession(runtime, cpuPath, 'cpu', request.threads);
  try {
    const expected = await runSession(runtime, cpu, warmUpInputs(request, 1), request.outputs);
    const deviation = Math.max(
      ...expected.map((output, index) => relativeDifference(numbersOf(found[index]!), numbersOf(output))),
    );
    if (!(deviation <= MAX_DEVIATION)) {
      throw new RuntimeError(
        'inference_failed',
        `outputs differ from the cpu provider's by ${deviation} of the largest value`,
      );
    }
    return deviation;
  } finally {
    await cpu.release();
  }
}

function numbersOf({ datatype, buffer }: RawTensor): ArrayLike<number> {
  if (datatype === 'FP16') return float16ToFloat32(new Uint16Array(buffer));
  const numeric: NumericTensor['datatype'] = datatype === 'FP32' ? 'FP32' : 'UINT8';
  return viewNumeric(numeric, buffer, 0, buffer.byteLength / DATATYPE_BYTES[numeric]) as Float32Array | Uint8Array;
}

/** The largest |found - expected| over the largest |expected|; NaN where either holds one. */
export function relativeDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let magnitude = 0;
  for (let index = 0; index < expected.length; index++) {
    difference = Math.max(difference, Math.abs(found[index]! - expected[index]!));
    magnitude = Math.max(magnitude, Math.abs(expected[index]!));
  }
  return magnitude === 0 ? difference : difference / magnitude;
}
