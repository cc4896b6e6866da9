/**
 * The headers of one part of a form: its name, and whether it is a file. Pure.
 * Source: RFC 7578 section 4.2; RFC 6266 section 4 (`filename*`); WHATWG HTML, "multipart form data" (%22, %0D, %0A).
 */
import { RequestError } from '../errors.ts';

/** What a part says about itself. */
export interface PartHeaders {
  readonly name: string;
  /** True where the part has a `filename` or `filename*`; some clients send files without either. */
  readonly isFile: boolean;
}

/** Encodings that leave the bytes as they are; RFC 7578 section 4.7 has no others. */
const IDENTITY_ENCODINGS: readonly string[] = ['', 'binary', '8bit', '7bit', 'identity'];

/** `; name=value` of a header: a token, or a quoted string with backslash escapes. Clients write both with blanks around. */
const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\[\s\S])*)"|([^;\s]*))/g;

/**
 * Reads a part's headers.
 * @param text without the empty line that ends them.
 * @throws RequestError `invalid_body` where the part has no name, or its content is encoded.
 */
export function parsePartHeaders(text: string): PartHeaders {
  let disposition: string | null = null;
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const value = line.slice(colon + 1).trim();
    switch (line.slice(0, colon).trim().toLowerCase()) {
      case 'content-disposition':
        disposition = value;
        break;
      case 'content-transfer-encoding':
        if (!IDENTITY_ENCODINGS.includes(value.toLowerCase())) {
          throw new RequestError('invalid_body', `a part has Content-Transfer-Encoding "${value.slice(0, 40)}"`);
        }
    }
  }
  if (disposition === null || !/^form-data\s*(;|$)/i.test(disposition)) {
    throw new RequestError('invalid_body', 'a part of the form has no "Content-Disposition: form-data"');
  }
  const parameters = new Map<string, string>();
  for (const [, key, quoted, token] of disposition.matchAll(PARAMETER)) {
    parameters.set(key!.toLowerCase(), quoted === undefined ? (token ?? '') : unescapeQuoted(quoted));
  }
  const name = parameters.get('name');
  if (name === undefined || name === '') throw new RequestError('invalid_body', 'a part of the form has no name');
  return { name, isFile: parameters.has('filename') || parameters.has('filename*') };
}

function unescapeQuoted(quoted: string): string {
  return quoted.replace(/\\(["\\])/g, '$1').replace(/%(22|0D|0A)/gi, (code) => decodeURIComponent(code));
}

/**
 * The boundary in a `Content-Type` (RFC 2046 section 5.1.1).
 * @throws RequestError `invalid_body` where there is none.
 */
export function boundaryOf(contentType: string): string {
  for (const [, key, quoted, token] of contentType.matchAll(PARAMETER)) {
    if (key!.toLowerCase() !== 'boundary') continue;
    const boundary = quoted === undefined ? (token ?? '') : unescapeQuoted(quoted);
    if (boundary !== '' && boundary.length <= MAX_BOUNDARY_LENGTH) return boundary;
  }
  throw new RequestError('invalid_body', 'the content type multipart/form-data names no boundary');
}

/** RFC 2046 allows 70; some clients write a little more. */
const MAX_BOUNDARY_LENGTH = 200;
