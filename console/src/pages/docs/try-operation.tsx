/** The form of an operation: parameters, a body of each kind, the answer. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { CopyButton } from '../../components/copy-button.tsx';
import { ProblemNote } from '../../components/problem.tsx';
import { sendRequest, useSession } from '../../session.tsx';
import { type AnswerState, readAnswer } from './answer.ts';
import { AnswerView } from './answer-view.tsx';
import { BodyInput } from './body-input.tsx';
import { exampleOf, type Operation } from './document.ts';
import { ParameterInputs } from './parameter-inputs.tsx';
import { type BuiltRequest, bodyKindOf, buildRequest, curlOf, type Filled } from './request.ts';

/** The form. */
export function TryOperation({ operation }: { readonly operation: Operation }) {
  const { signedIn } = useSession();
  const [filled, setFilled] = useState<Filled>(() => emptyOf(operation));
  const [answer, setAnswer] = useState<AnswerState | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const abort = useRef<AbortController | null>(null);
  // A stream of events lasts until it is stopped.
  useEffect(() => () => abort.current?.abort(), []);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setError(null);
    setAnswer(null);
    setBusy(true);
    const controller = new AbortController();
    abort.current = controller;
    try {
      const { method, path, headers, body } = buildRequest(operation, filled);
      const start = performance.now();
      const init = { method, headers, signal: controller.signal, ...(body !== null && { body }) };
      const response = await sendRequest(path, init);
      await readAnswer(response, performance.now() - start, setAnswer);
    } catch (thrown) {
      // Stopped by the user: not an error, and what came before it stays.
      if (!controller.signal.aborted) setError(thrown);
    }
    setBusy(false);
  };
  const curl = curlText(operation, filled, signedIn && operation.security.length > 0);
  return (
    <form class="try-operation" aria-label={`Try ${operation.operationId}`} onSubmit={(event) => void submit(event)}>
      <ParameterInputs
        parameters={operation.parameters}
        values={filled.parameters}
        onChange={(parameters) => setFilled({ ...filled, parameters })}
      />
      {operation.requestBody !== null && (
        <BodyInput content={operation.requestBody.content} filled={filled} onChange={setFilled} />
      )}
      <div class="row">
        <button type="submit" class="primary" disabled={busy}>
          Send
        </button>
        {busy && (
          <button type="button" onClick={() => abort.current?.abort()}>
            Stop
          </button>
        )}
        {curl !== null && <CopyButton text={curl} what="the curl command" />}
      </div>
      {curl !== null && <pre class="curl">{curl}</pre>}
      {error !== null && <ProblemNote error={error} />}
      {answer !== null && <AnswerView answer={answer} name={operation.operationId} />}
    </form>
  );
}

function emptyOf({ requestBody }: Operation): Filled {
  const content = requestBody?.content ?? {};
  const mediaType = Object.keys(content)[0] ?? null;
  const json = content['application/json'];
  return {
    parameters: {},
    mediaType,
    text: json === undefined ? '' : JSON.stringify(exampleOf(json.schema), null, 2),
    file: null,
    parts: Object.keys(content['multipart/form-data']?.schema.properties ?? {}).map((name, id) => ({
      id,
      name,
      value: [],
    })),
  };
}

/** Null while something that is required is missing. */
function curlText(operation: Operation, filled: Filled, needsKey: boolean): string | null {
  const stand = filled.mediaType !== null && bodyKindOf(filled.mediaType) === 'file' && filled.file === null;
  const file = stand ? new File([], 'photo.jpg') : filled.file;
  let request: BuiltRequest;
  try {
    request = buildRequest(operation, { ...filled, file });
  } catch {
    return null;
  }
  return curlOf(location.origin, request, needsKey);
}
