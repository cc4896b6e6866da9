/** Requests made from an OpenAPI document: valid, nearly valid and wrong ones, the same for the same seed. */

type Schema = Record<string, unknown>;

/** An operation of the document, as far as it is used here. */
export interface DocumentedOperation {
  readonly operationId: string;
  readonly parameters?: readonly { name: string; in: string; schema: Schema }[];
  readonly requestBody?: { content: Record<string, { schema: Schema }> };
  readonly responses: Record<string, { content: Record<string, { schema: Schema }> }>;
}

/** What is sent. */
export interface GeneratedRequest {
  readonly path: string;
  readonly init: RequestInit;
}

/** Numbers below 2^32 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Values that a schema cannot know: names that are there, an image. */
export interface KnownValues {
  readonly pathValues: Readonly<Record<string, readonly string[]>>;
  readonly image: Uint8Array<ArrayBuffer>;
}

const JUNK = ['', '0', '-1', '1e9', 'true', 'nobody', '../x', '%00', 'ü', 'a'.repeat(300), '[]', 'null', '"'];

/** Makes requests of one document. */
export class RequestGenerator {
  readonly #random: () => number;
  readonly #known: KnownValues;

  constructor(seed: number, known: KnownValues) {
    this.#random = seededRandom(seed);
    this.#known = known;
  }

  /** A request of an operation; about half of them are meant to be wrong. */
  next(template: string, method: string, operation: DocumentedOperation): GeneratedRequest {
    const parameters = operation.parameters ?? [];
    const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(this.#pathValue(name)));
    const query = new URLSearchParams();
    for (const { name, schema, in: where } of parameters) {
      if (where !== 'query' || this.#chance(60)) continue;
      const value = this.#chance(20) ? this.#pick(JUNK) : this.#value(schema, 0, name);
      query.append(name, Array.isArray(value) ? value.join(',') : String(value));
      if (this.#chance(3)) query.append(name, 'twice');
    }
    if (this.#chance(10)) query.append(this.#pick(['topk', 'x', '', '__proto__']), this.#pick(JUNK));
    const headers: Record<string, string> = {};
    for (const { name, in: where } of parameters) {
      if (where === 'header' && this.#chance(30)) headers[name] = this.#pick(['true', 'false', '12', 'x y', 'abc']);
    }
    const body = this.#body(operation, headers);
    const search = query.size === 0 ? '' : `?${query}`;
    return { path: path + search, init: { method: method.toUpperCase(), headers, ...(body !== null && { body }) } };
  }

  #body({ requestBody }: DocumentedOperation, headers: Record<string, string>): BodyInit | null {
    if (requestBody === undefined || this.#chance(3)) return null;
    const [mediaType, { schema }] = this.#pick(Object.entries(requestBody.content));
    if (mediaType === 'multipart/form-data') {
      const form = new FormData();
      for (let parts = this.#random() % 4; parts > 0; parts--) form.append('image', new Blob([this.#bytes()]));
      if (this.#chance(20)) form.append(this.#pick(['top_k', 'x']), this.#pick(JUNK));
      return form;
    }
    headers['content-type'] = this.#chance(4) ? 'text/html' : mediaType.replace('*', 'png');
    if (mediaType === 'application/json') {
      const text = JSON.stringify(this.#value(schema, 0, ''));
      return this.#chance(4) ? text.slice(0, -1) : text;
    }
    if (mediaType.startsWith('text/') || mediaType.includes('ndjson')) return this.#pick(JUNK);
    return this.#bytes();
  }

  #bytes(): Uint8Array<ArrayBuffer> {
    const { image } = this.#known;
    switch (this.#random() % 5) {
      case 0:
        return image.slice(0, this.#random() % image.length);
      case 1: {
        const broken = image.slice();
        broken[this.#random() % broken.length]! ^= 0xff;
        return broken;
      }
      case 2:
        return new TextEncoder().encode(this.#pick(JUNK));
      default:
        return image;
    }
  }

  #pathValue(name: string): string {
    const known = this.#known.pathValues[name];
    // An empty segment would be another path.
    return known === undefined || this.#chance(25) ? this.#pick(JUNK) || '-' : this.#pick(known);
  }

  #value(schema: Schema, depth: number, name: string): unknown {
    if (this.#chance(4)) return this.#pick([null, -1, 0.5, 'x', [], {}, true, 1e300] as const);
    const anyOf = schema.anyOf ?? schema.oneOf;
    if (Array.isArray(anyOf)) return this.#value(this.#pick(anyOf as Schema[]), depth, name);
    if (schema.const !== undefined) return schema.const;
    if (Array.isArray(schema.enum)) return this.#pick(schema.enum);
    switch (schema.type) {
      case 'string':
        if (name === 'version') return this.#pick(this.#known.pathValues.version ?? JUNK);
        return name === 'image' || name === 'images' || name === 'inputs' ? this.#imageText() : this.#pick(JUNK);
      case 'integer':
      case 'number': {
        const minimum = Number(schema.minimum ?? -10);
        const maximum = Math.min(Number(schema.maximum ?? minimum + 20), minimum + 50);
        return minimum + (this.#random() % (maximum - minimum + 1));
      }
      case 'boolean':
        return this.#chance(50);
      case 'array':
        return Array.from({ length: (this.#random() % 3) + Number(schema.minItems ?? 0) }, () =>
          this.#value((schema.items ?? {}) as Schema, depth + 1, name),
        );
      case 'object': {
        const required = (schema.required ?? []) as string[];
        const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
        const kept = properties.filter(([key]) => (required.includes(key) ? !this.#chance(4) : this.#chance(25)));
        const value = Object.fromEntries(kept.map(([key, each]) => [key, this.#value(each, depth + 1, key)]));
        if (this.#chance(4)) value.extra = 1;
        return value;
      }
      default:
        return depth > 4 ? null : this.#pick([1, 'x', {}, [], null]);
    }
  }

  #imageText(): string {
    if (this.#chance(20)) return this.#pick(JUNK);
    if (this.#chance(10)) return this.#pick(['https://127.0.0.1/x.png', 'http://[::1]/', 'https://user@example.com/']);
    const text = Buffer.from(this.#bytes()).toString('base64');
    return this.#chance(30) ? `data:image/png;base64,${text}` : text;
  }

  #chance(percent: number): boolean {
    return this.#random() % 100 < percent;
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#random() % values.length]!;
  }
}
