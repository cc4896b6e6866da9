/** The OpenAPI 3.1 document, made from the operations and the schemas that validate requests. */
import { errorDialect } from '../error-dialects.ts';
import type { ErrorCode } from '../errors.ts';
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from '../problem.ts';
import { type JsonSchema, toJsonSchema } from './json-schema.ts';
import { type Content, type Operation, TAGS } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { hfErrorSchema, oipErrorSchema, problemSchema, workersAiErrorSchema } from './schemas/errors.ts';

const ERROR_BODIES = {
  problem: { name: 'Problem', mediaType: PROBLEM_MEDIA_TYPE, schema: problemSchema },
  'hugging-face': { name: 'HuggingFaceError', mediaType: 'application/json', schema: hfErrorSchema },
  'workers-ai': { name: 'WorkersAiError', mediaType: 'application/json', schema: workersAiErrorSchema },
  'open-inference': { name: 'OpenInferenceError', mediaType: 'application/json', schema: oipErrorSchema },
} as const;

/** Builds the document. */
export function buildDocument(): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of OPERATIONS) {
    const path = toTemplate(operation.path);
    paths[path] = { ...paths[path], [operation.method]: describe(operation) };
  }
  const schemas = Object.values(ERROR_BODIES).map(({ name, schema }) => [name, toJsonSchema(schema)]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'bit-edge',
      version: '0.1.0',
      summary: 'BiT image classification, embeddings and moderation at the edge',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: Object.fromEntries(schemas),
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'A key of bit-edge keys create' } },
    },
  };
}

/** `/v1/models/:model` as OpenAPI spells it: `/v1/models/{model}`. */
export function toTemplate(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}');
}

function describe(operation: Operation): JsonSchema {
  const { id, tag, summary, scope, body, status, otherStatus, answer, codes } = operation;
  const parameters = parametersOf(operation);
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: scope === null ? 'Needs no API key.' : `Needs an API key with the scope \`${scope}\`.`,
    security: scope === null ? [] : [{ apiKey: [] }],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: { required: true, content: contentOf(body) } }),
    responses: {
      [status]: { description: 'The answer', content: contentOf(answer) },
      ...(otherStatus !== undefined && {
        [otherStatus]: { description: 'The answer; the rest is done behind it', content: contentOf(answer) },
      }),
      ...errorResponses(operation.path, codes),
    },
  };
}

function parametersOf({ path, query, headers = {} }: Operation): JsonSchema[] {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
  const { properties = {} } = query === undefined ? {} : toJsonSchema(query);
  const inQuery = Object.entries(properties as Record<string, JsonSchema>).map(([name, schema]) => {
    return { name, in: 'query', required: false, schema, ...(schema.type === 'array' && { explode: false }) };
  });
  const inHeaders = Object.entries(headers).map(([name, description]) => {
    return { name, in: 'header', required: false, description, schema: { type: 'string' } };
  });
  return [...inPath, ...inQuery, ...inHeaders];
}

function contentOf(content: Content): JsonSchema {
  return Object.fromEntries(
    Object.entries(content).map(([mediaType, schema]) => [mediaType, { schema: bodySchema(mediaType, schema) }]),
  );
}

function bodySchema(mediaType: string, schema: Content[string]): JsonSchema {
  if (schema === 'text') return { type: 'string' };
  if (schema !== 'binary') return toJsonSchema(schema);
  if (mediaType !== 'multipart/form-data') return { type: 'string', contentMediaType: mediaType };
  const image = { type: 'string', contentMediaType: 'application/octet-stream' };
  return {
    type: 'object',
    required: ['image'],
    properties: { image: { anyOf: [image, { type: 'array', items: image }] } },
  };
}

function errorResponses(path: string, codes: readonly ErrorCode[]): Record<string, JsonSchema> {
  const { name, mediaType } = ERROR_BODIES[errorDialect(path)];
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set<ErrorCode>([...codes, 'internal_error'])) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, each]) => [
      status,
      {
        description: each.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('; '),
        content: { [mediaType]: { schema: { $ref: `#/components/schemas/${name}` } } },
      },
    ]),
  );
}
