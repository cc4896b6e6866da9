/** The API: every operation of `/openapi.json`, and a way to try each. */
import { useLayoutEffect, useState } from 'preact/hooks';
import { ProblemNote } from '../../components/problem.tsx';
import { formatCount } from '../../format.ts';
import { useLoading } from '../../loading.ts';
import { useLocation } from '../../router.tsx';
import { sendRequest } from '../../session.tsx';
import { isFound, type OpenApiDocument, operationsOf } from './document.ts';
import { ErrorTable } from './error-table.tsx';
import { OperationPanel } from './operation-panel.tsx';

/** The page; `#operationId` opens an operation, `#code` goes to an error. */
export function DocsPage() {
  const document = useLoading(readDocument, []);
  if (document.error !== null) return <ProblemNote error={document.error} retry={document.reload} />;
  if (document.value === null) return <p class="quiet">Reading the document…</p>;
  return <Operations document={document.value} />;
}

async function readDocument(): Promise<OpenApiDocument> {
  const response = await sendRequest('/openapi.json', {});
  if (!response.ok) throw new Error(`/openapi.json answered ${response.status}`);
  return (await response.json()) as OpenApiDocument;
}

function Operations({ document: api }: { readonly document: OpenApiDocument }) {
  const [query, setQuery] = useState('');
  const target = useLocation().hash.slice(1);
  useLayoutEffect(() => {
    if (target !== '') document.getElementById(target)?.scrollIntoView();
  }, [target]);
  const all = operationsOf(api);
  const found = all.filter((operation) => isFound(operation, query.trim()));
  return (
    <>
      <div class="page-head">
        <h1>API</h1>
        <p class="quiet">
          {formatCount(all.length)} operations. Programs read <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).
        </p>
      </div>
      <label>
        Find
        <input
          type="search"
          value={query}
          placeholder="classify, heads, DELETE …"
          onInput={(event) => setQuery(event.currentTarget.value)}
        />
      </label>
      {found.length === 0 && <p class="empty">No operation has this in its path or summary.</p>}
      {api.tags.map(({ name, description }) => {
        const operations = found.filter(({ tags }) => tags.includes(name));
        if (operations.length === 0) return null;
        return (
          <section key={name} class="panel" aria-label={name}>
            <header>
              <h2>{name}</h2>
              <p class="quiet">{description}</p>
            </header>
            <div class="operations">
              {operations.map((operation) => (
                <OperationPanel
                  key={operation.operationId}
                  operation={operation}
                  document={api}
                  isTarget={operation.operationId === target}
                />
              ))}
            </div>
          </section>
        );
      })}
      <ErrorTable />
    </>
  );
}
