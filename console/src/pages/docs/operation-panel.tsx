/** One operation: what it takes, what it answers, and a form that sends it. */
import { useLayoutEffect, useState } from 'preact/hooks';
import { type OpenApiDocument, type Operation, typeText } from './document.ts';
import { TryOperation } from './try-operation.tsx';

interface OperationPanelProps {
  readonly operation: Operation;
  readonly document: OpenApiDocument;
  /** True where the address names it: it is open at once. */
  readonly isTarget: boolean;
}

/** The panel; what is in it is made when it is first opened. */
export function OperationPanel({ operation, document, isTarget }: OperationPanelProps) {
  const [isOpen, setIsOpen] = useState(isTarget);
  useLayoutEffect(() => {
    if (isTarget) setIsOpen(true);
  }, [isTarget]);
  const { method, path, summary, description, operationId } = operation;
  return (
    <details id={operationId} class="operation" open={isOpen} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        <span class={`method method-${method.toLowerCase()}`}>{method}</span>
        <code>{path}</code>
        <span class="operation-summary">{summary}</span>
      </summary>
      {isOpen && (
        <div class="operation-body">
          <p class="quiet">{withoutMarks(description)}</p>
          <TryOperation operation={operation} />
          <Answers operation={operation} document={document} />
        </div>
      )}
    </details>
  );
}

function Answers({ operation, document }: { readonly operation: Operation; readonly document: OpenApiDocument }) {
  const { requestBody, responses } = operation;
  return (
    <div class="types">
      {Object.entries(requestBody?.content ?? {}).map(([mediaType, { schema }]) => (
        <details key={mediaType}>
          <summary>
            Body <code>{mediaType}</code>
          </summary>
          <pre>{typeText(schema, document)}</pre>
        </details>
      ))}
      {Object.entries(responses).map(([status, { description, content = {} }]) => (
        <details key={status}>
          <summary>
            <span class={`badge ${status.startsWith('2') ? 'good' : 'warn'}`}>{status}</span>{' '}
            {withoutMarks(description)}
          </summary>
          {Object.entries(content).map(([mediaType, { schema }]) => (
            <div key={mediaType}>
              <p class="quiet">
                <code>{mediaType}</code>
              </p>
              <pre>{typeText(schema, document)}</pre>
            </div>
          ))}
        </details>
      ))}
    </div>
  );
}

/** Descriptions are Markdown, of which nothing but the backticks of codes is used. */
function withoutMarks(text: string): string {
  return text.replaceAll('`', '');
}
