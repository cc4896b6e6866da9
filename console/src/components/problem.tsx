/** An error as a person reads it: the problem's title, detail, code and request id. */
import { BitEdgeError } from '../../../client/index.ts';

interface ProblemProps {
  readonly error: unknown;
  readonly retry?: () => void;
}

/** Shows an error, and a way to try again where there is one. */
export function ProblemNote({ error, retry }: ProblemProps) {
  const { title, detail, code, requestId } = describeError(error);
  return (
    <div class="problem" role="alert">
      <p class="problem-title">{title}</p>
      <p>{detail}</p>
      {code !== null && (
        <p class="problem-facts">
          <code>{code}</code>
          {requestId !== '' && <span> request {requestId}</span>}
        </p>
      )}
      {retry !== undefined && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

interface DescribedError {
  readonly title: string;
  readonly detail: string;
  readonly code: string | null;
  readonly requestId: string;
}

function describeError(error: unknown): DescribedError {
  if (error instanceof BitEdgeError) {
    const { title, detail, code, request_id: requestId } = error.problem;
    return { title, detail, code, requestId };
  }
  // What fetch throws where there is no answer at all.
  if (error instanceof TypeError) {
    const detail = navigator.onLine ? 'The deployment did not answer.' : 'This device has no connection.';
    return { title: 'No answer', detail, code: null, requestId: '' };
  }
  return {
    title: 'This did not work',
    detail: error instanceof Error ? error.message : String(error),
    code: null,
    requestId: '',
  };
}
