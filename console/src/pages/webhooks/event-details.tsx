/** One event: its decision, every attempt to deliver it, and a replay. */
import { useState } from 'preact/hooks';
import { ProblemNote } from '../../components/problem.tsx';
import { ScrollFrame } from '../../components/scroll-frame.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { formatAge, formatMs } from '../../format.ts';
import { useLoading, usePolling } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { Explanation } from '../review/explanation.tsx';
import { ExchangeView } from './exchange.tsx';

const POLL_MS = 2000;
const ENDED: readonly string[] = ['delivered', 'dead', 'disabled'];

interface EventDetailsProps {
  readonly id: string;
  onChange(): void;
}

/** The panel. */
export function EventDetails({ id, onChange }: EventDetailsProps) {
  const { client } = useSession();
  const event = useLoading(() => client.getEvent(id), [client, id]);
  const [error, setError] = useState<unknown>(null);
  /** Number of the attempt whose request is shown; null: the last one's. */
  const [shown, setShown] = useState<number | null>(null);
  const isEnded = event.value !== null && ENDED.includes(event.value.state);
  usePolling(event.reload, isEnded ? null : POLL_MS);
  if (event.error !== null) return <ProblemNote error={event.error} retry={event.reload} />;
  if (event.value === null) return <p class="quiet">Reading the event…</p>;
  const {
    item_id: item,
    state,
    callback_url: url,
    decision,
    attempt_log: attempts,
    next_attempt_at: next,
  } = event.value;
  const attempt = attempts.find(({ number }) => number === shown) ?? attempts.at(-1);
  const replay = (): void => {
    setError(null);
    client.replayEvent(id).then(() => {
      setShown(null);
      event.reload();
      onChange();
    }, setError);
  };
  return (
    <section class="panel" aria-label="Event">
      <header class="row">
        <h2>{item}</h2>
        <StateBadge state={state} />
        {isEnded && (
          <button type="button" class="small" onClick={replay}>
            Replay
          </button>
        )}
      </header>
      <p class="quiet break">
        <code>{id}</code>
        {url !== null && <span> to {url}</span>}
        {next !== null && <span>; next attempt {formatAge(next, Date.now())}</span>}
      </p>
      {error !== null && <ProblemNote error={error} />}
      {attempts.length > 0 && (
        <ScrollFrame label="Attempts">
          <table>
            <thead>
              <tr>
                <th scope="col">Attempt</th>
                <th scope="col">Outcome</th>
                <th scope="col" class="number">
                  Status
                </th>
                <th scope="col" class="number">
                  Took
                </th>
                <th scope="col">When</th>
                <th scope="col">Detail</th>
                <th scope="col">
                  <span class="visually-hidden">Request and response</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {attempts.map(({ number, outcome, status, started_at: from, finished_at: to, detail }) => (
                <tr key={number}>
                  <td>{number}</td>
                  <td>
                    <span class={`badge ${outcome === 'delivered' ? 'good' : outcome === null ? 'accent' : 'bad'}`}>
                      {outcome ?? 'running'}
                    </span>
                  </td>
                  <td class="number">{status ?? ''}</td>
                  <td class="number">{to === null ? '' : formatMs(Date.parse(to) - Date.parse(from))}</td>
                  <td>{formatAge(from, Date.now())}</td>
                  <td>{detail ?? ''}</td>
                  <td>
                    <button
                      type="button"
                      class="small"
                      aria-pressed={number === attempt?.number}
                      aria-label={`Show request and response of attempt ${number}`}
                      onClick={() => setShown(number)}
                    >
                      Show
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollFrame>
      )}
      {attempt !== undefined && <ExchangeView event={event.value} attempt={attempt} />}
      {decision !== null && <Explanation decision={decision} />}
    </section>
  );
}
