/** A response as it arrives: text, up to a limit, and all of the bytes once it has ended. */
import { formatJson } from '../../format.ts';

/** Characters that are shown at most; the download has all of it. */
const MAX_SHOWN = 200_000;

/** What is known of a response so far. */
export interface AnswerState {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly elapsedMs: number;
  readonly bytes: number;
  /** Null if the body is not text. */
  readonly text: string | null;
  /** True if `text` is only the beginning. */
  readonly isCut: boolean;
  /** All that came; null while more may come. */
  readonly body: Blob | null;
}

const TEXT = /^text\/|json|xml|javascript/;

/**
 * Reads a response and reports it as it grows: the events of a stream are seen while it lasts.
 * @throws what `fetch` throws if the body breaks off or is aborted, after a last report of what came.
 */
export async function readAnswer(
  response: Response,
  elapsedMs: number,
  onChange: (state: AnswerState) => void,
): Promise<void> {
  const type = response.headers.get('content-type') ?? '';
  const isText = TEXT.test(type);
  const decoder = new TextDecoder();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let text = '';
  let bytes = 0;
  const report = (body: Blob | null): void => {
    const isCut = text.length > MAX_SHOWN;
    const isWholeJson = body !== null && !isCut && /\bjson\b/.test(type);
    const shown = isWholeJson ? formatJson(text) : text.slice(0, MAX_SHOWN);
    const { status, statusText, headers } = response;
    onChange({ status, statusText, headers: [...headers], elapsedMs, bytes, text: isText ? shown : null, isCut, body });
  };
  report(null);
  try {
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (isText && text.length <= MAX_SHOWN) text += decoder.decode(chunk, { stream: true });
      report(null);
    }
  } finally {
    report(new Blob(chunks, { type }));
  }
}
