/** The document for people: one page of HTML, no script, nothing from outside. */
import { PROBLEMS } from '../problem.ts';
import { buildDocument, toTemplate } from './document.ts';
import type { JsonSchema } from './json-schema.ts';
import { type Operation, TAGS } from './operation.ts';
import { OPERATIONS } from './operations.ts';

/** Its policy: its own style, and nothing else. */
export const DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}
code,pre{font:14px/1.5 ui-monospace,monospace}pre{background:#f4f4f4;padding:1rem;overflow:auto}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
summary{cursor:pointer}:target{background:#fff3c4}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}pre{background:#222}td,th{border-color:#333}a{color:#8ab4ff}:target{background:#4a3f10}}`;

/** Renders the page. */
export function renderDocs(): string {
  const paths = buildDocument().paths as Record<string, Record<string, JsonSchema>>;
  const sections = Object.keys(TAGS).map((tag) => {
    const rows = OPERATIONS.filter((operation) => operation.tag === tag).map((operation) =>
      renderOperation(operation, paths[toTemplate(operation.path)]![operation.method]!),
    );
    return `<h2>${escapeHtml(tag)}</h2>${rows.join('')}`;
  });
  const errors = Object.entries(PROBLEMS).map(
    ([code, { status, blame, title }]) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${blame}</td><td>${escapeHtml(title)}</td></tr>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>bit-edge API</title><style>${STYLE}</style></head><body><h1>bit-edge API</h1>
<p>The same as <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>${sections.join('')}
<h2>Errors</h2><p>Every error carries one of these codes; <code>type</code> of a problem links here.</p>
<table><thead><tr><th>code</th><th>status</th><th>blame</th><th>meaning</th></tr></thead><tbody>${errors.join('')}</tbody></table>
</body></html>`;
}

function renderOperation({ method, path, id, summary, scope }: Operation, description: JsonSchema): string {
  const { parameters, requestBody, responses } = description;
  const details = JSON.stringify({ parameters, requestBody, responses }, null, 2);
  const key = scope === null ? 'no key' : `scope ${scope}`;
  return `<details id="${id}"><summary><code>${method.toUpperCase()} ${escapeHtml(toTemplate(path))}</code> ${escapeHtml(summary)} (${key})</summary><pre>${escapeHtml(details)}</pre></details>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
