import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { exampleOf, type OpenApiDocument, type Operation, typeText } from '../../../console/src/pages/docs/document.ts';
import { buildRequest, curlOf, type Filled } from '../../../console/src/pages/docs/request.ts';

const DOCUMENT: OpenApiDocument = {
  tags: [],
  paths: {},
  components: {
    schemas: { Problem: { type: 'object', properties: { code: { type: 'string' } }, required: ['code'] } },
  },
};
const OPERATION: Operation = {
  method: 'PUT',
  path: '/v1/models/{name}/aliases/{alias}',
  operationId: 'moveAlias',
  tags: [],
  summary: '',
  description: '',
  security: [],
  parameters: [
    { name: 'name', in: 'path', required: true, schema: {} },
    { name: 'alias', in: 'path', required: true, schema: {} },
    { name: 'exact', in: 'query', required: false, schema: {} },
    { name: 'idempotency-key', in: 'header', required: false, schema: {} },
  ],
  requestBody: null,
  responses: {},
};
const FILLED: Filled = { parameters: {}, mediaType: null, text: '', file: null, parts: [] };
const parameters = { 'path name': 'a/b c', 'path alias': 'x@1', 'query exact': 'true', 'header idempotency-key': 'k' };

it('puts parameters where they belong, escaped, and leaves empty ones out', () => {
  expect(buildRequest(OPERATION, { ...FILLED, parameters })).toEqual({
    method: 'PUT',
    path: '/v1/models/a%2Fb%20c/aliases/x@1?exact=true',
    headers: { 'idempotency-key': 'k' },
    body: null,
  });
  const some = { 'path name': 'a', 'path alias': 'b', 'query exact': '' };
  expect(buildRequest(OPERATION, { ...FILLED, parameters: some })).toMatchObject({
    path: '/v1/models/a/aliases/b',
    headers: {},
  });
  expect(() => buildRequest(OPERATION, FILLED)).toThrow('“name” is part of the path');
});

it('sends text and files under their media type, and forms under the browser’s', () => {
  const operation = { ...OPERATION, path: '/x', parameters: [] };
  const file = new File(['x'], 'a.png', { type: 'image/png' });
  const send = (mediaType: string, more: Partial<Filled> = {}) =>
    buildRequest(operation, { ...FILLED, mediaType, file, ...more });
  expect(send('application/json', { text: '{}' })).toMatchObject({
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(send('image/*')).toMatchObject({ headers: { 'content-type': 'image/png' }, body: file });
  expect(send('application/zip').headers).toEqual({ 'content-type': 'application/zip' });
  expect(() => send('application/zip', { file: null })).toThrow('a file must be chosen');
  const { headers, body } = send('multipart/form-data', { parts: [{ id: 1, name: 'lemon', value: [file, file] }] });
  expect(headers).toEqual({});
  expect(body instanceof FormData && body.getAll('lemon')).toHaveLength(2);
});

it('gives curl words that a shell reads as they are', () => {
  const text = `{"a": "it's $(touch x) \`b\`"}`;
  const request = buildRequest(
    { ...OPERATION, path: '/x?', parameters: [] },
    { ...FILLED, mediaType: 'application/json', text },
  );
  const command = curlOf('https://bit.example', request, true);
  expect(command).toContain('"Authorization: Bearer $BIT_EDGE_KEY"');
  const words = execFileSync('sh', ['-c', command.replace('curl', "printf '%s\\n'")], { encoding: 'utf8' }).split('\n');
  expect(words).toContain(text);
  expect(words).toContain('https://bit.example/x?');
});

it('writes schemas as types, references followed', () => {
  const schema = {
    type: 'object',
    required: ['id'],
    properties: {
      id: { type: 'string' },
      state: { enum: ['on', 'off'], default: 'on', description: 'What it does' },
      list: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
      error: { $ref: '#/components/schemas/Problem' },
    },
  };
  expect(typeText(schema, DOCUMENT)).toBe(
    [
      '{',
      '  id: string',
      '  state?: "on" | "off"  // What it does; default "on"',
      '  list?: (string | null)[]',
      '  error?: {',
      '    code: string',
      '  }',
      '}',
    ].join('\n'),
  );
  expect(exampleOf(schema)).toEqual({ id: '' });
  expect(exampleOf({ type: 'object', properties: { image: { type: 'string' } } })).toEqual({ image: '' });
});
