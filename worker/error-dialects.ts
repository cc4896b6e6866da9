/**
 * Errors in the shape that the client of a path expects: RFC 9457 for our own routes, the bodies of Hugging Face, Workers AI and
 * Open Inference Protocol v2 for theirs. Statuses, titles and codes are those of `problem.ts`, but for the one that Hugging Face's
 * clients take for a loading model; `x-error-code` carries the code where the body has no place for it.
 */
import type { AppError } from './errors.ts';
import { PROBLEMS, problemResponse } from './problem.ts';

/** Seconds that a Hugging Face client is told a load takes, where the error knows no better. */
const ESTIMATED_LOAD_SECONDS = 5;

/** Whose shape an error body has. */
export type ErrorDialect = 'problem' | 'hugging-face' | 'workers-ai' | 'open-inference';

const PREFIXES: readonly (readonly [string, ErrorDialect])[] = [
  ['/models/', 'hugging-face'],
  ['/pipeline/', 'hugging-face'],
  ['/ai/run/', 'workers-ai'],
  ['/v2/', 'open-inference'],
];

/** The dialect of a path; a path that is none of a foreign protocol's speaks RFC 9457. */
export function errorDialect(path: string): ErrorDialect {
  if (path === '/v2') return 'open-inference';
  return PREFIXES.find(([prefix]) => path.startsWith(prefix))?.[1] ?? 'problem';
}

/** The response of an error at `path`. */
export function errorResponse(error: AppError, requestId: string, path: string): Response {
  const problem = problemResponse(error, requestId);
  const dialect = errorDialect(path);
  if (dialect === 'problem') return problem;
  const headers = new Headers(problem.headers);
  headers.set('content-type', 'application/json');
  headers.set('x-error-code', error.code);
  return new Response(JSON.stringify(toBody(error, dialect)), { status: statusOf(error, dialect), headers });
}

/**
 * For Hugging Face's clients 503 is a loading model: `@huggingface/inference` repeats the request at once, for ever. What is busy or
 * down must not be asked hundreds of times a second: it is 429, as text-generation-inference has it.
 */
function statusOf(error: AppError, dialect: ErrorDialect): number {
  const { status } = PROBLEMS[error.code];
  return dialect === 'hugging-face' && status === 503 && error.code !== 'not_ready' ? 429 : status;
}

function toBody(error: AppError, dialect: Exclude<ErrorDialect, 'problem'>): Record<string, unknown> {
  switch (dialect) {
    case 'hugging-face': {
      if (error.code !== 'not_ready') return { error: error.message };
      return { error: error.message, estimated_time: error.retryAfterSeconds ?? ESTIMATED_LOAD_SECONDS };
    }
    case 'workers-ai': {
      const { status } = PROBLEMS[error.code];
      return {
        result: null,
        success: false,
        errors: [{ code: status, message: `${error.code}: ${error.message}` }],
        messages: [],
      };
    }
    case 'open-inference':
      return { error: error.message };
  }
}
