/**
 * What is known about one request when it ends: one line of structured log, one set of metrics, one Analytics Engine point.
 * Never image bytes, tokens, or anything else that the client sent beyond its numbers.
 */
import type { Timing } from '../inference/classifier.ts';
import type { StatisticsLog } from '../oip/triton.ts';
import type { Metrics } from './metrics.ts';

/** What routes fill in while they work; the middleware writes it out. */
export interface RequestRecord {
  model?: { readonly name: string; readonly version: string };
  image?: { readonly format: string; readonly width: number; readonly height: number };
  bytes?: number;
  timing?: Timing;
  /** Milliseconds that the request waited for memory or for its turn. */
  queueMs?: number;
  cache?: 'hit' | 'miss' | 'bypass';
  code?: string;
  /** The first request that this isolate saw. */
  coldStart?: boolean;
  /** The bulk job that it made or asked for. */
  job?: string;
  /** The moderation events that it made, the first of them. */
  events?: readonly string[];
}

/** The part of Workers Analytics Engine that is used. */
export interface AnalyticsSink {
  writeDataPoint(point: { indexes: string[]; blobs: string[]; doubles: number[] }): void;
}

/** The frame around a record. */
export interface RequestFrame {
  readonly requestId: string;
  readonly traceId: string;
  readonly method: string;
  /** The route's pattern, not the path: paths hold names that clients choose. */
  readonly route: string;
  readonly status: number;
  /** Wall time; 0 where the clock stood still. */
  readonly durationMs: number;
}

/** The outcome in one word: `ok`, `client_error` or `server_error`. */
export function outcomeOf(status: number): 'ok' | 'client_error' | 'server_error' {
  if (status < 400) return 'ok';
  return status < 500 ? 'client_error' : 'server_error';
}

/** The log line of a request, as a JSON-safe object. */
export function toLogLine(frame: RequestFrame, record: RequestRecord): Record<string, unknown> {
  return {
    level: frame.status >= 500 ? 'error' : 'info',
    event: 'request',
    request_id: frame.requestId,
    trace_id: frame.traceId,
    method: frame.method,
    route: frame.route,
    status: frame.status,
    outcome: outcomeOf(frame.status),
    ...(record.code === undefined ? {} : { code: record.code }),
    ...(record.coldStart === true ? { cold_start: true } : {}),
    ...(record.job === undefined ? {} : { job: record.job }),
    ...(record.events === undefined ? {} : { event_ids: record.events }),
    ...(record.model === undefined ? {} : { model: record.model.name, version: record.model.version }),
    ...(record.image === undefined ? {} : record.image),
    ...(record.bytes === undefined ? {} : { bytes: record.bytes }),
    ...(record.cache === undefined ? {} : { cache: record.cache }),
    ...(record.timing ?? {}),
    ...(record.queueMs === undefined || record.queueMs <= 0 ? {} : { queue_ms: record.queueMs }),
    ...(frame.durationMs > 0 ? { duration_ms: frame.durationMs } : {}),
  };
}

/** Adds a request to the isolate's metrics; queue time apart from compute time. */
export function countRequest(metrics: Metrics, frame: RequestFrame, record: RequestRecord): void {
  const { method, route } = frame;
  const labels = { method, route, status: String(frame.status), code: record.code ?? '' };
  metrics.count('bit_edge_requests_total', 'Requests by route and outcome.', labels);
  if (record.coldStart === true) metrics.count('bit_edge_cold_starts_total', 'Isolates that began to answer.');
  if (frame.durationMs > 0) {
    metrics.observe('bit_edge_request_seconds', 'Wall time of requests.', { method, route }, frame.durationMs / 1000);
  }
  if (record.cache !== undefined) {
    metrics.count('bit_edge_result_cache_total', 'Results by cache state.', { state: record.cache });
  }
  if (record.queueMs !== undefined && record.queueMs > 0) {
    metrics.observe('bit_edge_queue_seconds', 'Time spent waiting for memory.', {}, record.queueMs / 1000);
  }
  for (const [stage, ms] of Object.entries(record.timing ?? {})) {
    const stageName = stage.replace(/_ms$/, '');
    metrics.observe('bit_edge_stage_seconds', 'Compute time by stage.', { stage: stageName }, Number(ms) / 1000);
  }
}

/** Adds a request that a model was named for to the isolate's statistics. */
export function countInference(log: StatisticsLog, frame: RequestFrame, record: RequestRecord, nowMs: number): void {
  if (record.model === undefined) return;
  const { decode_ms = 0, preprocess_ms = 0, inference_ms = 0 } = record.timing ?? {};
  log.add({
    ...record.model,
    succeeded: frame.status < 400,
    endedAtMs: nowMs,
    durationMs: frame.durationMs,
    queueMs: record.queueMs ?? 0,
    inputMs: decode_ms + preprocess_ms,
    inferenceMs: inference_ms,
  });
}

/** Writes a request to Workers Analytics Engine: index model, blobs route, outcome, code, format, cache; doubles the times. */
export function writeAnalytics(sink: AnalyticsSink, frame: RequestFrame, record: RequestRecord): void {
  const { decode_ms = 0, preprocess_ms = 0, inference_ms = 0 } = record.timing ?? {};
  sink.writeDataPoint({
    indexes: [record.model?.name ?? 'none'],
    blobs: [
      frame.route,
      outcomeOf(frame.status),
      record.code ?? '',
      record.image?.format ?? '',
      record.cache ?? '',
      record.model?.version ?? '',
    ],
    doubles: [frame.durationMs, record.queueMs ?? 0, decode_ms, preprocess_ms, inference_ms, record.bytes ?? 0],
  });
}
