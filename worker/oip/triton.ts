/**
 * Triton's extensions of Open Inference Protocol v2 that describe models: configuration, statistics, repository index. Pure.
 * Source: Triton, "Model Configuration Extension", "Statistics Extension", "Model Repository Extension".
 */
import * as z from 'zod';
import { type Manifest, manifestFunction } from '../../model-store/manifest.ts';
import { tritonTensor } from '../../model-store/triton-tensor.ts';

const count = z.int().nonnegative();

const tensorConfigSchema = z.object({ name: z.string(), data_type: z.string(), dims: z.array(z.int().min(-1)) });

/** `GET /v2/models/{model}[/versions/{version}]/config`. */
export const tritonConfigSchema = z.object({
  name: z.string(),
  platform: z.string(),
  backend: z.string(),
  /** Most rows of one request. */
  max_batch_size: count,
  /** Without the batch; a request has one of them. */
  input: z.array(tensorConfigSchema),
  output: z.array(tensorConfigSchema),
  parameters: z.record(z.string(), z.object({ string_value: z.string() })),
});
type TritonConfig = z.infer<typeof tritonConfigSchema>;

const durationSchema = z.object({ count, ns: count });

const modelStatisticsSchema = z.object({
  name: z.string(),
  version: z.string(),
  /** Milliseconds since the epoch; 0 before the first. */
  last_inference: count,
  /** Requests that were answered. */
  inference_count: count,
  execution_count: count,
  inference_stats: z.object({
    success: durationSchema,
    fail: durationSchema,
    queue: durationSchema,
    compute_input: durationSchema,
    compute_infer: durationSchema,
    compute_output: durationSchema,
  }),
  batch_stats: z.array(z.never()),
});

/** `GET /v2/models/{model}[/versions/{version}]/stats`: of this isolate. */
export const statisticsSchema = z.object({ model_stats: z.array(modelStatisticsSchema) });
/** One version's. */
export type ModelStatistics = z.infer<typeof modelStatisticsSchema>;

/** `POST /v2/repository/index`: with `ready`, what is loaded alone. */
export const indexRequestSchema = z.strictObject({ ready: z.boolean().default(false) });

/** Its answer. */
export const repositoryIndexSchema = z.array(
  z.object({ name: z.string(), version: z.string(), state: z.enum(['READY', 'UNAVAILABLE']), reason: z.string() }),
);

/** The configuration of a model: one that takes `maxRows` rows, of `pixel_values` or of encoded images. */
export function toTritonConfig(
  manifest: Manifest,
  platform: string,
  imageInput: string,
  maxRows: number,
): TritonConfig {
  const variant = manifest.variants[manifest.default_variant]!;
  const parameters = {
    version: manifest.version,
    variant: manifest.default_variant,
    inputs: 'one_of',
    function_to_apply: manifestFunction(manifest),
  };
  return {
    name: manifest.name,
    platform,
    backend: 'onnxruntime',
    max_batch_size: maxRows,
    input: [...variant.inputs.map(tritonTensor), { name: imageInput, data_type: 'TYPE_STRING', dims: [1] }],
    output: variant.outputs.map(tritonTensor),
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, { string_value: value }])),
  };
}

/** One request, as it ended. */
export interface CountedRequest {
  readonly name: string;
  readonly version: string;
  readonly succeeded: boolean;
  readonly endedAtMs: number;
  readonly durationMs: number;
  readonly queueMs: number;
  /** Decoding and preprocessing. */
  readonly inputMs: number;
  readonly inferenceMs: number;
}

/** Versions that are counted at a time: of more, those counted longest ago are forgotten. */
const MAX_VERSIONS = 64;

/** What an isolate's models did. */
export class StatisticsLog {
  readonly #versions = new Map<string, ModelStatistics>();

  /** Counts a request to a model that exists. */
  add(request: CountedRequest): void {
    const { name, version, succeeded, endedAtMs, durationMs, queueMs, inputMs, inferenceMs } = request;
    const key = `${name}@${version}`;
    const kept = this.of(name, version);
    this.#versions.delete(key);
    if (this.#versions.size >= MAX_VERSIONS) this.#versions.delete(this.#versions.keys().next().value!);
    const { success, fail, queue, compute_input, compute_infer, compute_output } = kept.inference_stats;
    if (!succeeded) {
      const inference_stats = { ...kept.inference_stats, fail: longer(fail, durationMs) };
      this.#versions.set(key, { ...kept, inference_stats });
      return;
    }
    this.#versions.set(key, {
      ...kept,
      last_inference: endedAtMs,
      inference_count: kept.inference_count + 1,
      execution_count: kept.execution_count + 1,
      inference_stats: {
        success: longer(success, durationMs),
        fail,
        queue: longer(queue, queueMs),
        compute_input: longer(compute_input, inputMs),
        compute_infer: longer(compute_infer, inferenceMs),
        compute_output: longer(compute_output, 0),
      },
    });
  }

  /** A version's statistics: zeros before its first request. */
  of(name: string, version: string): ModelStatistics {
    const none = { count: 0, ns: 0 };
    return (
      this.#versions.get(`${name}@${version}`) ?? {
        name,
        version,
        last_inference: 0,
        inference_count: 0,
        execution_count: 0,
        inference_stats: {
          success: none,
          fail: none,
          queue: none,
          compute_input: none,
          compute_infer: none,
          compute_output: none,
        },
        batch_stats: [],
      }
    );
  }
}

function longer({ count, ns }: z.infer<typeof durationSchema>, ms: number): z.infer<typeof durationSchema> {
  return { count: count + 1, ns: ns + Math.round(ms * 1e6) };
}
