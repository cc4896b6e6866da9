/** The OpenAPI document as the page reads it. Pure. */

/** JSON Schema (draft 2020-12), as far as it is shown. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly contentMediaType?: string;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

/** One operation with its method and path. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  /** Empty if no key is needed. */
  readonly security: readonly unknown[];
  readonly parameters: readonly Parameter[];
  readonly requestBody: { readonly content: Content } | null;
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

/** The document. */
export interface OpenApiDocument {
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<Operation, 'method' | 'path'>>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Every operation, in the order of the document. */
export function operationsOf({ paths }: OpenApiDocument): readonly Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      ...described,
      parameters: described.parameters ?? [],
      requestBody: described.requestBody ?? null,
      method: method.toUpperCase(),
      path,
    })),
  );
}

/** True if every word of the query is in the method, the path, the summary, the id or a tag. */
export function isFound({ method, path, summary, operationId, tags }: Operation, query: string): boolean {
  const text = `${method} ${path} ${summary} ${operationId} ${tags.join(' ')}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

const INDENT = '  ';
const MAX_DEPTH = 8;

/** A schema as a type: short to read, and what most callers write in. */
export function typeText(schema: Schema, document: OpenApiDocument, depth = 0): string {
  const { $ref: reference, enum: values, const: value, anyOf, oneOf, type } = schema;
  if (depth > MAX_DEPTH) return '…';
  if (reference !== undefined) {
    const named = document.components.schemas[reference.split('/').at(-1) ?? ''];
    return named === undefined ? 'unknown' : typeText(named, document, depth);
  }
  if (values !== undefined) return values.map((each) => JSON.stringify(each)).join(' | ');
  if (value !== undefined) return JSON.stringify(value);
  const choices = anyOf ?? oneOf;
  if (choices !== undefined) {
    return [...new Set(choices.map((each) => typeText(each, document, depth)))].join(' | ');
  }
  if (schema.contentMediaType !== undefined) return 'bytes';
  if (type === 'array') {
    const item = typeText(schema.items ?? {}, document, depth);
    return /[|\s]/.test(item) && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
  }
  if (type === 'object') return objectText(schema, document, depth);
  return type ?? 'any';
}

function objectText(
  { properties = {}, required = [], additionalProperties }: Schema,
  document: OpenApiDocument,
  depth: number,
): string {
  const rest =
    typeof additionalProperties === 'object' ? `[name]: ${typeText(additionalProperties, document, depth + 1)}` : null;
  const inner = INDENT.repeat(depth + 1);
  const lines = Object.entries(properties).map(([name, property]) => {
    const notes = [property.description, defaultText(property)].filter((note) => note !== undefined && note !== '');
    const comment = notes.length === 0 ? '' : `  // ${notes.join('; ')}`;
    return `${inner}${name}${required.includes(name) ? '' : '?'}: ${typeText(property, document, depth + 1)}${comment}`;
  });
  if (rest !== null) lines.push(`${inner}${rest}`);
  return lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n${INDENT.repeat(depth)}}`;
}

function defaultText({ default: value }: Schema): string {
  return value === undefined ? '' : `default ${JSON.stringify(value)}`;
}

/** A body to begin with: the required members, or the first one if none is required. */
export function exampleOf(schema: Schema): unknown {
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  const [choice] = schema.anyOf ?? schema.oneOf ?? [];
  if (choice !== undefined) return exampleOf(choice);
  switch (schema.type) {
    case 'object': {
      const names = schema.required ?? Object.keys(schema.properties ?? {}).slice(0, 1);
      return Object.fromEntries(names.map((name) => [name, exampleOf(schema.properties?.[name] ?? {})]));
    }
    case 'array':
      return [exampleOf(schema.items ?? {})];
    case 'integer':
    case 'number':
      return schema.minimum ?? 0;
    case 'boolean':
      return false;
    case 'null':
      return null;
    default:
      return '';
  }
}

/** The values of a parameter that is chosen from a list; null: it is typed. */
export function choicesOf(schema: Schema): readonly string[] | null {
  if (schema.enum !== undefined) return schema.enum.map(String);
  if (schema.type === 'boolean') return ['true', 'false'];
  const types = schema.anyOf?.map(({ type }) => type) ?? [];
  return types.length === 2 && types.includes('boolean') && types.includes('string') ? ['true', 'false'] : null;
}
