/** Answers held against the OpenAPI document that the same worker serves. Node only: ajv compiles schemas to code. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { DocumentedOperation } from './openapi-requests.ts';

/** The document, as far as it is used here. */
export interface OpenApiDocument {
  readonly paths: Record<string, Record<string, DocumentedOperation & { readonly tags: readonly string[] }>>;
  readonly components: object;
}

/** Which answer of which operation. */
export interface AnswerPlace {
  /** As the document spells the path: `/v1/jobs/{id}`. */
  readonly template: string;
  readonly method: string;
  readonly status: number;
  readonly mediaType: string;
}

/** The documented schemas of one worker's answers. */
export class DocumentedAnswers {
  readonly document: OpenApiDocument;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });

  constructor(document: OpenApiDocument) {
    this.document = document;
    this.#ajv.addSchema({ $id: 'document', ...document });
  }

  /** What is wrong with an answer in the document's terms; null where nothing is. */
  problemOf({ template, method, status, mediaType }: AnswerPlace, value: unknown): string | null {
    const pointer = ['paths', template, method, 'responses', String(status), 'content', mediaType, 'schema'];
    const validate = this.#ajv.getSchema(`document#/${pointer.map(encodePointer).join('/')}`);
    if (validate === undefined) return `${method} ${template} documents no ${status} ${mediaType}`;
    return validate(value) ? null : this.#ajv.errorsText(validate.errors);
  }

  /** Paths of the objects in an answer that could have a member nobody documented; none if the schema is closed. */
  openObjects(place: AnswerPlace, value: unknown): string[] {
    return objectPaths(value).filter((path) => this.problemOf(place, withStray(value, path)) === null);
  }
}

function encodePointer(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** Paths of every object in a JSON value, keys joined by line ends; the value itself is the empty path. */
function objectPaths(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.entries(value).flatMap(([key, each]) =>
    objectPaths(each, path === '' ? key : `${path}\n${key}`),
  );
  return Array.isArray(value) ? below : [path, ...below];
}

/** A copy with one more member in the object at `path`. */
function withStray(value: unknown, path: string): unknown {
  const copy = structuredClone(value);
  let target = copy as Record<string, unknown>;
  for (const key of path === '' ? [] : path.split('\n')) target = target[key] as Record<string, unknown>;
  // What no map that is documented as one (headers by name) takes as a value.
  target.stray = [['?']];
  return copy;
}
