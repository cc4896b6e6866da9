/**
 * Client of a GPU backend that speaks Open Inference Protocol v2: ours, Triton or KServe. See `backend-transport.ts` for
 * timeouts, retries and the circuit breaker.
 */
import { RequestError } from '../errors.ts';
import { childTraceparent, type Traceparent } from '../observability/trace.ts';
import type { Tensor } from '../oip/datatypes.ts';
import { decodeInferResponse, type InferResponse } from '../oip/infer-response.ts';
import { HEADER_LENGTH_HEADER, type Message, messageHeaders, parseHeaderLength } from '../oip/message.ts';
import {
  type ModelMetadata,
  modelConfigSchema,
  modelMetadataSchema,
  parseMetadata,
  type ServerMetadata,
  serverMetadataSchema,
} from '../oip/metadata.ts';
import { isBackendUnavailable } from './backend-retry.ts';
import { type Answer, type BackendOptions, BackendTransport } from './backend-transport.ts';
import type { BreakerState } from './circuit-breaker.ts';

/** A model as the backend describes it. */
export interface BackendModel extends ModelMetadata {
  /** Most rows of one request; null where the backend does not say (plain KServe). */
  readonly maxBatch: number | null;
}

/** One inference. */
export interface InferCall {
  readonly model: string;
  /** Null: the backend's own choice. */
  readonly version: string | null;
  /** From `encodeInferRequest` or `reserveInferRequest`. */
  readonly message: Message;
  /** Rows of the batch: the first dimension that every output must have. */
  readonly rows: number;
  /** Outputs that the answer must hold. */
  readonly outputs: readonly string[];
  /** Trace that the call belongs to. */
  readonly traceparent?: Traceparent | undefined;
  readonly signal?: AbortSignal;
}

/** One client a backend; it may be shared among concurrent callers. */
export class BackendClient {
  readonly #transport: BackendTransport;

  constructor(options: BackendOptions) {
    this.#transport = new BackendTransport(options);
  }

  /** The circuit breaker's state: JSON, may be kept and given to a later client as `breakerState`. */
  get breakerState(): BreakerState {
    return this.#transport.breakerState;
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#transport.inFlight;
  }

  /** Whether the server says that it is ready; asked once, past the breaker. False too where it cannot be reached. */
  async ready(): Promise<boolean> {
    return await this.#succeeds('server ready', 'v2/health/ready');
  }

  /** Whether a model (of a version; null: any) is ready; as `ready`. */
  async modelReady(model: string, version: string | null = null): Promise<boolean> {
    return await this.#succeeds('model ready', `${modelPath(model, version)}/ready`);
  }

  async #succeeds(what: string, path: string): Promise<boolean> {
    try {
      return await this.#transport.once({ what, path, init: { method: 'GET' }, read: () => true });
    } catch {
      return false;
    }
  }

  /** What the server says about itself. @throws AppError as `infer`. */
  async serverMetadata(): Promise<ServerMetadata> {
    return await this.#get('server metadata', 'v2', (text) =>
      parseMetadata('server metadata', serverMetadataSchema, text),
    );
  }

  /**
   * Describes a model. The largest batch comes from Triton's model configuration extension, which our backend speaks too.
   * @throws AppError as `infer`.
   */
  async model(model: string, version: string | null = null): Promise<BackendModel> {
    const path = modelPath(model, version);
    const metadata = await this.#get('model metadata', path, (text) => {
      return parseMetadata('model metadata', modelMetadataSchema, text);
    });
    return { ...metadata, maxBatch: await this.#maxBatch(path) };
  }

  async #maxBatch(path: string): Promise<number | null> {
    try {
      const size = await this.#get('model configuration', `${path}/config`, (text) => {
        return parseMetadata('model configuration', modelConfigSchema, text).max_batch_size;
      });
      return size === 0 ? null : size;
    } catch (error) {
      // A server without the extension refuses in a way of its own; only a server in trouble is an error here.
      if (isBackendUnavailable(error)) throw error;
      return null;
    }
  }

  async #get<T>(what: string, path: string, read: (text: string) => T): Promise<T> {
    const readText = ({ body }: Answer) => read(new TextDecoder().decode(body));
    return await this.#transport.call({ what, path, init: { method: 'GET' }, read: readText });
  }

  /**
   * Runs one batch.
   * @returns the response, checked: every asked-for output is there, with `rows` as its first dimension.
   * @throws JobError `backend_unavailable` (down, busy, broken answers, breaker open; with `retryAfterSeconds`),
   *   ModelError `model_not_found`, ConfigurationError for a refused token, RequestError `invalid_body` where the
   *   backend refuses the request itself; the signal's reason where it aborts.
   */
  async infer(call: InferCall): Promise<InferResponse> {
    const trace = call.traceparent === undefined ? {} : { traceparent: childTraceparent(call.traceparent) };
    return await this.#transport.call({
      what: `infer "${call.model}"`,
      path: `${modelPath(call.model, call.version)}/infer`,
      init: { method: 'POST', headers: { ...messageHeaders(call.message), ...trace }, body: call.message.body },
      signal: call.signal,
      read: ({ response, body }) => {
        const headerLength = parseHeaderLength(response.headers.get(HEADER_LENGTH_HEADER));
        const answer = decodeInferResponse(body, headerLength);
        for (const name of call.outputs) checkOutput(answer.outputs, name, call.rows);
        return answer;
      },
    });
  }
}

function checkOutput(outputs: readonly Tensor[], name: string, rows: number): void {
  const found = outputs.find((output) => output.name === name);
  if (found === undefined) {
    const names = outputs.map((output) => output.name).join(', ');
    throw new RequestError('invalid_body', `output "${name}" is missing; there are: ${names || 'none'}`);
  }
  if (found.shape[0] !== rows) {
    throw new RequestError('invalid_body', `output "${name}" has shape [${found.shape}] for a batch of ${rows}`, {
      details: { shape: found.shape, rows },
    });
  }
}

function modelPath(model: string, version: string | null): string {
  const path = `v2/models/${encodeURIComponent(model)}`;
  return version === null ? path : `${path}/versions/${encodeURIComponent(version)}`;
}
