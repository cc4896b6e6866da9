/**
 * Answers like the classifier, with the network run by a GPU backend: decode and resize here, batches of `image` UINT8
 * `[N, H, W, 3]` over Open Inference Protocol v2. Callers come one image at a time and in numbers; what they bring together goes
 * out together.
 */
import { JobError, ModelError } from '../errors.ts';
import type { ImageLimits } from '../imaging/limits.ts';
import { checkAnswer } from '../inference/check-answer.ts';
import { type Inference, inputEdge } from '../inference/classifier.ts';
import type { Tensor } from '../inference/inference-session.ts';
import type { ModelDescription } from '../inference/model-description.ts';
import type { Traceparent } from '../observability/trace.ts';
import { reserveInferRequest } from '../oip/infer-request.ts';
import { preprocessToRgb8 } from '../preprocess/preprocess.ts';
import { answeredImage, type ImageService, toDecodable } from '../transcode/transcode.ts';
import type { BackendClient } from './backend-client.ts';

/** Rows of a request at most, whatever the backend allows: 32 images of 224 px are 4.8 MB. */
const MAX_BATCH = 32;

/** Callers that come within this time share a batch, in ms. */
const BATCH_DELAY_MS = 10;

/** The graph's input on the GPU. */
const IMAGE_INPUT = 'image';

/** What the inferer needs. */
export interface GpuInfererOptions {
  readonly client: BackendClient;
  readonly description: ModelDescription;
  /** Largest batch that the backend takes for this model. */
  readonly maxBatch: number;
  readonly limits: ImageLimits;
  /** Cloudflare Images, for formats that are not decoded here; null where they are refused. */
  readonly images: ImageService | null;
  /** Of the job. */
  readonly traceparent?: Traceparent | undefined;
  /** Takes memory for a decode. */
  acquire(bytes: number): Promise<{ release(): void }>;
  now(): number;
}

interface Waiting {
  readonly rgb8: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly outputs: readonly string[];
  resolve(outputs: Map<string, Tensor>): void;
  reject(error: unknown): void;
}

/** One version on one backend. */
export class GpuInferer {
  readonly #options: GpuInfererOptions;
  readonly #batchSize: number;
  #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: GpuInfererOptions) {
    this.#options = options;
    this.#batchSize = Math.max(1, Math.min(MAX_BATCH, options.maxBatch));
  }

  /** Images that one caller should bring at a time so that batches are full while the next is prepared. */
  get concurrency(): number {
    return 2 * this.#batchSize;
  }

  /**
   * Runs an image through the network.
   * @throws ImageError; JobError `backend_unavailable`; ModelError `unsupported_output`, `model_not_found`.
   */
  async infer(
    bytes: Uint8Array,
    outputNames: readonly string[],
    options: { readonly exact?: boolean },
  ): Promise<Inference> {
    const { description, limits, acquire, images, now } = this.#options;
    checkOutputs(description, outputNames);
    const source = await toDecodable(bytes, images, { limits, edgePx: inputEdge(description.manifest), acquire });
    let picture: Awaited<ReturnType<typeof preprocessToRgb8>>;
    try {
      const exact = options.exact ?? false;
      picture = await preprocessToRgb8(source.bytes, description.processor, { limits, exact, now, acquire });
    } finally {
      source.release();
    }
    const { rgb8, height, width, info, decodeMs, preprocessMs } = picture;
    const outputs = await new Promise<Map<string, Tensor>>((resolve, reject) => {
      this.#waiting.push({ rgb8, height, width, outputs: outputNames, resolve, reject });
      if (this.#waiting.length >= this.#batchSize) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), BATCH_DELAY_MS);
    });
    checkAnswer(description, outputs);
    return {
      model: description,
      outputs,
      image: answeredImage(info, source.original),
      timing: { decode_ms: decodeMs, preprocess_ms: preprocessMs },
    };
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length > 0) void this.#send(batch);
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    const { client, description, traceparent } = this.#options;
    const { name, version } = description.manifest;
    const [first] = batch;
    const { height, width } = first!;
    const outputs = [...new Set(batch.flatMap((each) => each.outputs))];
    try {
      const shape = [batch.length, height, width, 3];
      const { message, data } = reserveInferRequest(
        { outputs: outputs.map((output) => ({ name: output, parameters: { binary_data: true } })) },
        [{ name: IMAGE_INPUT, datatype: 'UINT8', shape }],
      );
      for (const [row, { rgb8 }] of batch.entries()) data[0]!.set(rgb8, row * height * width * 3);
      const call = { model: name, version, message, rows: batch.length, outputs, traceparent };
      const answer = await client.infer(call);
      batch.forEach((each, row) => {
        each.resolve(new Map(each.outputs.map((output) => [output, rowOf(answer.outputs, output, row)])));
      });
    } catch (error) {
      for (const each of batch) each.reject(error);
    }
  }
}

/** One row of an output, as `[1, ...]` float32. */
function rowOf(outputs: Awaited<ReturnType<BackendClient['infer']>>['outputs'], name: string, row: number): Tensor {
  const tensor = outputs.find((output) => output.name === name);
  if (tensor?.datatype !== 'FP32') {
    throw new JobError('backend_unavailable', `the backend gave ${name} as ${tensor?.datatype ?? 'nothing'}, not FP32`);
  }
  const shape = [1, ...tensor.shape.slice(1)];
  const elements = shape.reduce((product, size) => product * size, 1);
  const data = Float32Array.from(tensor.data.subarray(row * elements, (row + 1) * elements));
  return { type: 'float32', shape, data };
}

function checkOutputs({ manifest }: ModelDescription, names: readonly string[]): void {
  const { gpu } = manifest.variants;
  if (gpu === undefined) {
    throw new ModelError('unsupported_output', `${manifest.name}@${manifest.version} has no "gpu" variant`);
  }
  for (const name of names) {
    if (gpu.outputs.some((output) => output.name === name)) continue;
    throw new ModelError('unsupported_output', `${manifest.name}@${manifest.version} gives no "${name}" on the GPU`);
  }
}
