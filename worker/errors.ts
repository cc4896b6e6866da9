/**
 * The errors of bit-edge: a closed union of codes, and the classes that carry them.
 * No HTTP here: `problem.ts` maps every code to a status, once. Messages carry numbers
 * (`image is 9000x9000 = 81.0 MP; limit 50 MP`); `details` carries the same numbers for machines.
 */

/** Codes about a request's shape. */
export type RequestErrorCode =
  | 'empty_body'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'invalid_body'
  | 'invalid_parameter'
  | 'unknown_parameter'
  | 'missing_image'
  | 'too_many_images'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'unauthorized'
  | 'forbidden'
  | 'rate_limited'
  | 'auth_not_configured'
  | 'body_timeout'
  | 'too_many_uploads';

/** Codes about encoded image bytes. */
export type ImageErrorCode =
  | 'unrecognized_image'
  | 'unsupported_image_format'
  | 'unsupported_image_feature'
  | 'truncated_image'
  | 'corrupt_image'
  | 'image_too_large'
  | 'image_memory_exceeded';

/** Codes about models: configuration, checkpoint, graph, store. */
export type ModelErrorCode =
  | 'model_not_found'
  | 'model_unavailable'
  | 'model_corrupt'
  | 'model_too_large'
  | 'model_failed'
  | 'invalid_model_config'
  | 'invalid_checkpoint'
  | 'invalid_manifest'
  | 'unsupported_output';

/** Codes about the runtime's state and capacity; every one of them passes. */
export type RuntimeErrorCode =
  | 'overloaded'
  | 'memory_budget_exceeded'
  | 'inference_failed'
  | 'not_ready'
  | 'client_gone';

/** Codes about fetching remote images. */
export type FetchErrorCode = 'url_not_allowed' | 'fetch_failed' | 'fetch_timeout' | 'object_not_found';

/** Codes about webhooks and moderation policies. */
export type ModerationErrorCode =
  | 'invalid_policy'
  | 'policy_not_found'
  | 'signature_missing'
  | 'signature_invalid'
  | 'timestamp_out_of_range'
  | 'unknown_secret'
  | 'webhook_replayed';

/** Codes about bulk jobs and idempotency. */
export type JobErrorCode =
  | 'job_not_found'
  | 'job_state_conflict'
  | 'invalid_manifest_line'
  | 'idempotency_conflict'
  | 'idempotency_in_progress'
  | 'backend_unavailable'
  | 'lease_lost';

/** Codes about heads and their examples. */
export type HeadErrorCode =
  | 'head_not_found'
  | 'example_not_found'
  | 'head_untrainable'
  | 'head_limit_exceeded'
  | 'head_backbone_changed';

/** Codes that mean a defect or a misconfiguration of ours. */
export type InternalErrorCode = 'invalid_configuration' | 'internal_error';

/** Every code that can reach a caller. */
export type ErrorCode =
  | RequestErrorCode
  | ImageErrorCode
  | ModelErrorCode
  | RuntimeErrorCode
  | FetchErrorCode
  | ModerationErrorCode
  | JobErrorCode
  | HeadErrorCode
  | InternalErrorCode;

/** Numbers and names that explain an error to a machine; JSON-safe. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[] | readonly number[]>>;

/** Options shared by every error class. */
export interface AppErrorOptions {
  readonly details?: ErrorDetails;
  /** Seconds after which a retry may succeed; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/**
 * The one error type that crosses module borders; its `code` is stable API.
 * @example
 * throw new ImageError('image_too_large', 'image is 9000x9000 = 81.0 MP; limit 50 MP', { details: { width: 9000, height: 9000 } });
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** An error whose codes are those of one kind. Not generic itself: `instanceof AppError` then knows the type of `code`. */
abstract class KindOfError<Code extends ErrorCode> extends AppError {
  declare readonly code: Code;
  constructor(code: Code, message: string, options?: AppErrorOptions) {
    super(code, message, options);
  }
}

/** A request that is malformed, not allowed, or names something that is not there. */
export class RequestError extends KindOfError<RequestErrorCode> {}

/** Encoded image bytes that cannot or may not be decoded. */
export class ImageError extends KindOfError<ImageErrorCode> {}

/** A model that is missing, broken, too large, or cannot do what is asked of it. */
export class ModelError extends KindOfError<ModelErrorCode> {}

/** The isolate is at a limit or its runtime failed; the same request may succeed later. */
export class RuntimeError extends KindOfError<RuntimeErrorCode> {}

/** A remote image that may not be fetched, or could not be. */
export class FetchError extends KindOfError<FetchErrorCode> {}

/** A policy, signature or webhook that is refused. */
export class ModerationError extends KindOfError<ModerationErrorCode> {}

/** A bulk job that is missing, in the wrong state, or badly described. */
export class JobError extends KindOfError<JobErrorCode> {}

/** A head that is missing, cannot be trained, or is too large. */
export class HeadError extends KindOfError<HeadErrorCode> {}

/** A deployment variable that is missing or wrong; named in the message. */
export class ConfigurationError extends AppError {
  constructor(message: string, options?: AppErrorOptions) {
    super('invalid_configuration', message, options);
  }
}
