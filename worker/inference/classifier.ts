/**
 * Encoded image -> answer: decode, preprocess, run, name the labels. What every route and queue consumer calls.
 */

import type { FunctionToApply } from '../../model-store/bit-config.ts';
import type { Manifest } from '../../model-store/manifest.ts';
import { manifestFunction } from '../../model-store/manifest.ts';
import { ModelError, RuntimeError } from '../errors.ts';
import type { ImageLimits } from '../imaging/limits.ts';
import { preprocess } from '../preprocess/preprocess.ts';
import { blameOf } from '../problem.ts';
import {
  type AnsweredImage,
  answeredImage,
  type Decodable,
  type ImageService,
  toDecodable,
} from '../transcode/transcode.ts';
import { checkAnswer } from './check-answer.ts';
import { float32Output } from './float32-output.ts';
import type { Tensor } from './inference-session.ts';
import type { Lease, MemoryBudget } from './memory-budget.ts';
import type { ModelHost, WaitUntil } from './model-host.ts';
import type { DescribedModel, LoadedModel } from './model-loader.ts';
import { activate, type Prediction, topK } from './scores.ts';

/** A version may be replaced while an image is decoded; then the image is preprocessed for the new one. */
const MAX_ATTEMPTS = 3;

/** Which model answers: a name, and an alias or version of it. */
export interface ModelReference {
  readonly name: string;
  readonly reference: string;
  /** Whose heads may be meant: the API key's id. Undefined: a model alone. */
  readonly tenant?: string | undefined;
}

/** What a classification is asked to do. */
export interface ClassifyOptions {
  readonly topK: number;
  /** Default: the model's, as its manifest has it. */
  readonly functionToApply?: FunctionToApply | undefined;
  /** True: JPEGs are decoded at full size before the resize, as the reference does. Default false. */
  readonly exact?: boolean;
  /** Aborted when the client is gone: what has not begun is not begun. */
  readonly signal?: AbortSignal;
}

/** Milliseconds of each stage; a stage that the clock did not see (production freezes it between I/O) is left out. */
export interface Timing {
  readonly decode_ms?: number;
  readonly preprocess_ms?: number;
  readonly inference_ms?: number;
}

/** One image's answer. */
export interface Classification {
  readonly model: { readonly name: string; readonly version: string };
  readonly predictions: readonly Prediction[];
  readonly image: AnsweredImage;
  readonly timing: Timing;
}

/** What the classifier needs from outside. */
export interface ClassifierOptions {
  readonly host: ModelHost;
  readonly budget: MemoryBudget;
  readonly limits: ImageLimits;
  /** Cloudflare Images, for formats that are not decoded here; null where they are refused. */
  readonly images: ImageService | null;
  /** A clock in ms for the timing; it may stand still. */
  now(): number;
}

/** The raw outputs of one image. */
export interface Inference {
  readonly model: Pick<LoadedModel, 'manifest' | 'labels'>;
  readonly outputs: ReadonlyMap<string, Tensor>;
  readonly image: AnsweredImage;
  readonly timing: Timing;
  /** Who ran the network, where that is not plain from the caller. */
  readonly engine?: 'wasm' | 'gpu';
}

/** Answers for one image at a time; holds no state of its own. */
export class Classifier {
  readonly #options: ClassifierOptions;

  constructor(options: ClassifierOptions) {
    this.#options = options;
  }

  /**
   * The `topK` best labels of an image.
   * @throws ImageError, ModelError, RuntimeError.
   */
  async classify(
    bytes: Uint8Array,
    reference: ModelReference,
    options: ClassifyOptions,
    waitUntil: WaitUntil,
  ): Promise<Classification> {
    return classificationOf(await this.infer(bytes, reference, ['logits'], options, waitUntil), options);
  }

  /**
   * Runs an image through the network and gives the outputs named.
   * @throws ImageError, ModelError (`unsupported_output` where the version has no such output), RuntimeError.
   */
  async infer(
    bytes: Uint8Array,
    reference: ModelReference,
    outputNames: readonly string[],
    options: Pick<ClassifyOptions, 'exact' | 'signal'>,
    waitUntil: WaitUntil,
  ): Promise<Inference> {
    const { host, budget, images, now } = this.#options;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const loading = host.open(reference.name, reference.reference, waitUntil);
      const described = await loading.described;
      checkOutputs(described, outputNames);
      checkNotAborted(options.signal);
      const held: { lease?: Lease; source?: Decodable } = {};
      try {
        const source = await toDecodable(bytes, images, {
          limits: this.#limitsFor(bytes),
          edgePx: inputEdge(described.manifest),
          acquire: (needed) => budget.acquire(needed, 'transcoding the image'),
        });
        held.source = source;
        // Behind the last image, or while the weights are still on their way.
        const prepared = await preprocess(source.bytes, described.processor, {
          limits: this.#limitsFor(source.bytes),
          exact: options.exact ?? false,
          now,
          acquire: async (needed) => {
            held.lease = await budget.acquire(needed, 'decoding the image');
            return { release() {} };
          },
        });
        const { pixelValues, height, width, info, decodeMs, preprocessMs } = prepared;
        // The pixel values wait for the weights; the rest of the lease need not.
        held.lease?.shrink(pixelValues.byteLength);
        const model = await loading.model;
        if (model.manifest.version !== described.manifest.version) continue;
        if (model.session.released || model.session.abortReason !== null) continue;
        checkNotAborted(options.signal);
        const start = now();
        const tensor: Tensor = { type: 'float32', shape: [1, 3, height, width], data: pixelValues };
        const outputs = this.#run(model, tensor, outputNames);
        return {
          model,
          outputs,
          image: answeredImage(info, source.original),
          timing: timing(decodeMs, preprocessMs, now() - start),
        };
      } finally {
        held.lease?.release();
        held.source?.release();
      }
    }
    throw new RuntimeError('overloaded', `the model was replaced ${MAX_ATTEMPTS} times while the image was decoded`, {
      retryAfterSeconds: 1,
    });
  }

  /** @throws ModelError `model_failed`, RuntimeError `inference_failed`. */
  #run(model: LoadedModel, tensor: Tensor, outputNames: readonly string[]): Map<string, Tensor> {
    const { host } = this.#options;
    try {
      const outputs = host.run(model, tensor, outputNames);
      checkAnswer(model, outputs);
      return outputs;
    } catch (error) {
      if (blameOf(error) === 'model') host.distrust(model);
      throw error;
    }
  }

  /** An image that could never be decoded beside the model is refused as too large, rather than made to wait. */
  #limitsFor(bytes: Uint8Array): ImageLimits {
    const { limits, budget } = this.#options;
    return { ...limits, maxMemoryBytes: Math.min(limits.maxMemoryBytes, budget.capacityBytes - bytes.byteLength) };
  }
}

/**
 * The `topK` best labels of an image's `logits`, by the model's own function unless another is asked for.
 * @throws ModelError `model_failed` for a graph that gave no float32 logits.
 */
export function classificationOf(
  { model, outputs, image, timing }: Inference,
  options: Pick<ClassifyOptions, 'topK' | 'functionToApply'>,
): Classification {
  const scores = activate(
    float32Output(outputs, 'logits').data,
    options.functionToApply ?? manifestFunction(model.manifest),
  );
  return {
    model: { name: model.manifest.name, version: model.manifest.version },
    predictions: topK(scores, model.labels, options.topK),
    image,
    timing,
  };
}

/** The longer edge of what a version's network takes, in px. */
export function inputEdge({ variants, default_variant: variant }: Manifest): number {
  const shape = variants[variant]?.inputs[0]?.shape ?? [];
  return Math.max(1, ...shape.filter((size) => typeof size === 'number'));
}

function checkNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new RuntimeError('client_gone', 'the client closed the connection');
}

function checkOutputs(model: DescribedModel, names: readonly string[]): void {
  const have = model.variant.outputs.map((output) => output.name);
  for (const name of names) {
    if (have.includes(name)) continue;
    const { name: modelName, version } = model.manifest;
    throw new ModelError('unsupported_output', `${modelName}@${version} gives ${have.join(', ')}, not "${name}"`, {
      details: { outputs: have },
    });
  }
}

function timing(decodeMs: number, preprocessMs: number, inferenceMs: number): Timing {
  return {
    ...(decodeMs > 0 ? { decode_ms: round(decodeMs) } : {}),
    ...(preprocessMs > 0 ? { preprocess_ms: round(preprocessMs) } : {}),
    ...(inferenceMs > 0 ? { inference_ms: round(inferenceMs) } : {}),
  };
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
