/** An answer as it arrives: text, as far as it is shown; bytes are counted. */

/** Characters that are shown at most; the download has all of it. */
export const MAX_SHOWN = 200_000;

/** What is known of an answer so far. */
export interface AnswerState {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly elapsedMs: number;
  readonly bytes: number;
  /** Null where the body is no text. */
  readonly text: string | null;
  readonly isComplete: boolean;
  /** All that came. */
  readonly body: Blob;
}

const TEXT = /^text\/|json|xml|javascript/;

/** Reads an answer and tells of it as it grows: a stream of events is seen while it lasts. */
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
  const tell = (isComplete: boolean): void =>
    onChange({
      status: response.status,
      statusText: response.statusText,
      headers: [...response.headers],
      elapsedMs,
      bytes,
      text: isText ? shownText(text, type, isComplete) : null,
      isComplete,
      body: new Blob(chunks, { type }),
    });
  tell(false);
  if (response.body !== null) {
    for await (const chunk of response.body) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (isText && text.length < MAX_SHOWN) text += decoder.decode(chunk, { stream: true });
      tell(false);
    }
  }
  tell(true);
}

/** JSON is indented once all of it is there. */
function shownText(text: string, type: string, isComplete: boolean): string {
  if (isComplete && /\bjson\b|\+json/.test(type) && text.length < MAX_SHOWN) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }
  return text.slice(0, MAX_SHOWN);
}
