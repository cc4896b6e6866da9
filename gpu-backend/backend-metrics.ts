/** The backend's metrics. Labels come from models that are loaded, never from requests, so that they stay few. */
import { Counter, Gauge, Histogram, type Labels, renderMetrics } from './metrics.ts';

/** How a request ended. */
export type Outcome = 'ok' | 'invalid' | 'not_found' | 'overloaded' | 'not_ready' | 'cancelled' | 'failed';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** What a gauge of one model reads. */
export interface ModelGauge {
  readonly labels: Labels;
  readonly queuedRows: number;
}

/** All metrics of one process. */
export class BackendMetrics {
  readonly requests = new Counter('bit_gpu_requests_total', 'Inference requests by outcome.');
  readonly rows = new Counter('bit_gpu_images_total', 'Images answered.');
  readonly queueSeconds = new Histogram('bit_gpu_queue_seconds', 'Time from acceptance to the batch.', SECONDS);
  readonly computeSeconds = new Histogram('bit_gpu_compute_seconds', 'Time of one batch on the device.', SECONDS);
  readonly batchSizes = new Histogram('bit_gpu_batch_size', 'Images in one batch.', BATCH_SIZES);
  readonly #gauges: readonly Gauge[];

  /**
   * @param models asked at every reading.
   * @param ready asked at every reading.
   */
  constructor(models: () => Iterable<ModelGauge>, ready: () => boolean) {
    this.#gauges = [
      new Gauge('bit_gpu_queue_images', 'Images that wait.', function* () {
        for (const { labels, queuedRows } of models()) yield [labels, queuedRows];
      }),
      new Gauge('bit_gpu_models', 'Model versions loaded.', () => [[{}, [...models()].length]]),
      new Gauge('bit_gpu_ready', '1 while requests are accepted.', () => [[{}, ready() ? 1 : 0]]),
    ];
  }

  /** In Prometheus' text format. */
  render(): string {
    const { requests, rows, queueSeconds, computeSeconds, batchSizes } = this;
    return renderMetrics([requests, rows, queueSeconds, computeSeconds, batchSizes, ...this.#gauges]);
  }
}
