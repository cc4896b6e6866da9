/** One loaded version of a model: checks requests, batches them, and answers. */
import type { Tensor } from '../worker/oip/datatypes.ts';
import type { InferRequest } from '../worker/oip/infer-request.ts';
import type { InferResponse } from '../worker/oip/infer-response.ts';
import type { BackendMetrics } from './backend-metrics.ts';
import { concatenateRows, splitRows } from './batch-tensors.ts';
import { Batcher, type BatcherHooks, type BatchPolicy, type Queued } from './batcher.ts';
import type { Engine } from './engine.ts';
import type { LoadResult } from './engine-protocol.ts';
import type { Labels } from './metrics.ts';
import { type CheckedRequest, checkRequest, type ModelSignature } from './model-signature.ts';

/** What a served model is made of. */
export interface ServedModelOptions {
  readonly name: string;
  readonly version: string;
  readonly signature: ModelSignature;
  readonly loaded: LoadResult;
  readonly engine: Engine;
  readonly batch: BatchPolicy;
  readonly metrics: BackendMetrics;
  readonly hooks: Pick<BatcherHooks<never, never>, 'now' | 'schedule'>;
}

/** The engine's name for a version's session. */
export function sessionName(name: string, version: string): string {
  return `${name}/${version}`;
}

export class ServedModel {
  readonly name: string;
  readonly version: string;
  readonly signature: ModelSignature;
  readonly loaded: LoadResult;
  readonly labels: Labels;
  readonly maxBatch: number;
  readonly #options: ServedModelOptions;
  readonly #batcher: Batcher<CheckedRequest, readonly Tensor[]>;

  constructor(options: ServedModelOptions) {
    const { name, version, signature, loaded, batch, hooks } = options;
    this.name = name;
    this.version = version;
    this.signature = signature;
    this.loaded = loaded;
    this.labels = { model: name, version };
    this.maxBatch = batch.maxBatch;
    this.#options = options;
    this.#batcher = new Batcher(batch, { ...hooks, run: (queued) => this.#run(queued) });
  }

  /** Rows that wait. */
  get queuedRows(): number {
    return this.#batcher.queuedRows;
  }

  /** @throws RuntimeError `overloaded` where not even one more row would be taken: asked before a body is read. */
  assertRoom(): void {
    if (this.#batcher.isFull()) throw this.#batcher.overloaded();
  }

  /**
   * Answers a request.
   * @param signal takes it out of the queue.
   * @throws RequestError `invalid_body`, RuntimeError `overloaded` or `inference_failed`; the signal's reason.
   */
  async infer(request: InferRequest, signal?: AbortSignal): Promise<InferResponse> {
    const checked = checkRequest(request, this.signature);
    const outputs = await this.#batcher.submit(checked, checked.rows, checked.key, signal);
    this.#options.metrics.rows.add(this.labels, checked.rows);
    return { modelName: this.name, modelVersion: this.version, id: request.id, outputs };
  }

  async #run(batch: readonly Queued<CheckedRequest>[]): Promise<readonly (readonly Tensor[])[]> {
    const { engine, metrics, hooks } = this.#options;
    const rowCounts = batch.map((queued) => queued.rows);
    const startMs = hooks.now();
    for (const { enqueuedMs } of batch) metrics.queueSeconds.observe(this.labels, (startMs - enqueuedMs) / 1000);
    metrics.batchSizes.observe(
      this.labels,
      rowCounts.reduce((sum, rows) => sum + rows, 0),
    );
    const inputs = this.signature.inputs.map((_, index) => {
      return concatenateRows(batch.map((queued) => queued.request.inputs[index]!));
    });
    const outputs = [...new Set(batch.flatMap((queued) => queued.request.outputs))];
    const result = await engine.run({ kind: 'run', session: sessionName(this.name, this.version), inputs, outputs });
    metrics.computeSeconds.observe(this.labels, result.computeMs / 1000);
    const parts = new Map(result.outputs.map((output) => [output.name, splitRows(output, rowCounts)]));
    return batch.map((queued, index) => queued.request.outputs.map((name) => parts.get(name)![index]!));
  }

  /** Answers what was accepted, without waiting for more; resolves when that is done. */
  async drain(): Promise<void> {
    this.#batcher.hurry();
    await this.#batcher.idle();
  }
}
