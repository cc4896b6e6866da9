/** What one attempt sent, and what came back. */
import type { WebhookEvent } from '../../../../client/index.ts';
import { formatJson } from '../../format.ts';

interface ExchangeProps {
  readonly event: WebhookEvent;
  readonly attempt: WebhookEvent['attempt_log'][number];
}

/** Request and response, as text. */
export function ExchangeView({ event: { callback_url: url, payload }, attempt }: ExchangeProps) {
  const { number, request, response, status } = attempt;
  return (
    <section class="exchange" aria-label={`Request and response of attempt ${number}`}>
      <div>
        <h3>Request {number}</h3>
        {request === null ? (
          <p class="quiet">Nothing was sent.</p>
        ) : (
          <Message
            label={`Request ${number}`}
            first={`POST ${url ?? ''}`}
            headers={request.headers}
            body={payload === null ? '' : formatJson(payload)}
          />
        )}
      </div>
      <div>
        <h3>Response {number}</h3>
        {response === null ? (
          <p class="quiet">None came.</p>
        ) : (
          <>
            <Message
              label={`Response ${number}`}
              first={`HTTP ${status ?? ''}`}
              headers={response.headers}
              body={response.body}
            />
            {response.truncated && <p class="quiet">More came, and was not kept.</p>}
          </>
        )}
      </div>
    </section>
  );
}

interface MessageProps {
  readonly label: string;
  readonly first: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function Message({ label, first, headers, body }: MessageProps) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms.
    <div class="answer-text" role="group" aria-label={label} tabIndex={0}>
      <pre>{[first, ...lines, '', body].join('\n')}</pre>
    </div>
  );
}
