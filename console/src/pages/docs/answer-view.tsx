/** A response: status, time, headers, and the body if it is text. */
import { downloadBlob } from '../../download.ts';
import { formatBytes, formatMs } from '../../format.ts';
import type { AnswerState } from './answer.ts';

interface AnswerViewProps {
  readonly answer: AnswerState;
  /** Of the file that is saved. */
  readonly name: string;
}

/** The section. */
export function AnswerView({ answer, name }: AnswerViewProps) {
  const { status, statusText, headers, elapsedMs, bytes, text, isCut, body } = answer;
  return (
    <section class="answer" aria-label="Answer">
      <p class="row" role="status">
        <span class={`badge ${status < 400 ? 'good' : 'bad'}`}>
          {status} {statusText}
        </span>
        <span class="quiet">
          {formatMs(elapsedMs)}, {formatBytes(bytes)}
          {body === null && ', more is coming…'}
        </span>
        {body !== null && bytes > 0 && (
          <button type="button" class="small" onClick={() => downloadBlob(body, `${name}.txt`)}>
            Save
          </button>
        )}
      </p>
      <details>
        <summary>Headers</summary>
        <dl class="facts">
          {headers.map(([header, value]) => (
            <div key={header}>
              <dt>{header}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </details>
      {text === null ? (
        <p class="quiet">The body is not text: {formatBytes(bytes)}. Save it to look at it.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        <pre class="answer-text" tabIndex={0}>
          {text}
        </pre>
      )}
      {isCut && <p class="quiet">The rest is in the file that is saved.</p>}
    </section>
  );
}
