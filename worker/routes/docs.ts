/** `GET /openapi.json` and `GET /docs`: the API described, for programs and for people; a page of the console if that is on. */
import { Hono } from 'hono';
import { DOCS_POLICY, renderDocs } from '../openapi/docs-page.ts';
import { buildDocument } from '../openapi/document.ts';
import type { AppEnvironment } from '../services.ts';
import { answerConsolePage } from './console.ts';

let document: string | null = null;
let page: string | null = null;

/** The routes; both bodies are made once an isolate. */
export const docsRoutes = new Hono<AppEnvironment>()
  .get('/openapi.json', (c) => {
    document ??= JSON.stringify(buildDocument());
    return c.body(document, 200, { 'content-type': 'application/json', 'cache-control': 'public, max-age=300' });
  })
  .get('/docs', (c) => {
    if (c.var.services.config.console) return answerConsolePage(c);
    page ??= renderDocs();
    c.header('content-security-policy', DOCS_POLICY);
    return c.html(page, 200, { 'cache-control': 'public, max-age=300' });
  });
