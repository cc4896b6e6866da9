/** Builds a request from the fields of a form, and the same as a curl command. Pure. */
import { shellWord } from '../../components/calls.ts';
import type { Operation } from './document.ts';

/** A field of a form. */
export interface FormPart {
  readonly id: number;
  readonly name: string;
  /** Text, or files: a field each. */
  readonly value: string | readonly File[];
}

/** What was filled in. */
export interface Filled {
  /** By `in` and name: `query top_k`. Empty ones are not sent. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Null: no body. */
  readonly mediaType: string | null;
  readonly text: string;
  readonly file: File | null;
  readonly parts: readonly FormPart[];
}

/** A request that can be sent. */
export interface BuiltRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | File | FormData | null;
}

/** How a body of a media type is filled in. */
export type BodyKind = 'text' | 'file' | 'form';

/** Text for JSON and lines, a form, or a file for all else. */
export function bodyKindOf(mediaType: string): BodyKind {
  if (mediaType === 'multipart/form-data') return 'form';
  return /json|^text\//.test(mediaType) ? 'text' : 'file';
}

/** Builds it. @throws Error that names a parameter of the path that is missing, or a file. */
export function buildRequest({ method, path, parameters }: Operation, filled: Filled): BuiltRequest {
  const filledIn = (place: string, name: string): string => filled.parameters[`${place} ${name}`] ?? '';
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  let target = path;
  for (const { in: place, name } of parameters) {
    const value = filledIn(place, name);
    if (place === 'path') {
      if (value === '') throw new Error(`“${name}” is part of the path and must be filled in`);
      target = target.replace(`{${name}}`, encodeURIComponent(value).replaceAll('%40', '@'));
    } else if (value !== '' && place === 'query') query.set(name, value);
    else if (value !== '') headers[name] = value;
  }
  const suffix = query.size === 0 ? '' : `?${query.toString().replaceAll('%40', '@')}`;
  return { method, path: target + suffix, ...bodyOf(filled, headers) };
}

function bodyOf(
  { mediaType, text, file, parts }: Filled,
  headers: Record<string, string>,
): Pick<BuiltRequest, 'headers' | 'body'> {
  if (mediaType === null) return { headers, body: null };
  switch (bodyKindOf(mediaType)) {
    case 'text':
      return { headers: { ...headers, 'content-type': mediaType }, body: text };
    case 'form': {
      // The browser writes the content type, with the boundary in it.
      const form = new FormData();
      for (const { name, value } of parts) {
        if (typeof value === 'string') form.append(name, value);
        else for (const each of value) form.append(name, each, each.name);
      }
      return { headers, body: form };
    }
    case 'file': {
      if (file === null) throw new Error('a file must be chosen for the body');
      const type = mediaType.includes('*') ? file.type || 'application/octet-stream' : mediaType;
      return { headers: { ...headers, 'content-type': type }, body: file };
    }
  }
}

/** The same for a shell. It names the key's variable, never the key. */
export function curlOf(origin: string, { method, path, headers, body }: BuiltRequest, needsKey: boolean): string {
  const parts = [`curl${method === 'GET' ? '' : ` -X ${method}`} ${shellWord(origin + path)}`];
  if (needsKey) parts.push('-H "Authorization: Bearer $BIT_EDGE_KEY"');
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${shellWord(`${name}: ${value}`)}`);
  if (body instanceof FormData) {
    for (const [name, value] of body) {
      // curl reads ; and , of a value as its own, unless it is quoted.
      const word = typeof value === 'string' ? value : `@"${value.name.replaceAll(/["\\]/g, '\\$&')}"`;
      parts.push(`${typeof value === 'string' ? '--form-string' : '-F'} ${shellWord(`${name}=${word}`)}`);
    }
  } else if (body instanceof File) parts.push(`--data-binary ${shellWord(`@${body.name}`)}`);
  else if (body !== null) parts.push(`--data-binary ${shellWord(body)}`);
  return parts.join(' \\\n  ');
}
