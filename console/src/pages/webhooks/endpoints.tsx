/** The URLs that callbacks go to; one that answered 410 can be enabled again. */
import { useState } from 'preact/hooks';
import { ProblemNote } from '../../components/problem.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { formatCount } from '../../format.ts';
import { useLoading, usePolling } from '../../loading.ts';
import { useSession } from '../../session.tsx';

const POLL_MS = 5000;

/** The list. @param onChange Told when one was enabled, or its deliveries replayed. */
export function Endpoints({ onChange }: { onChange(): void }) {
  const { client } = useSession();
  const endpoints = useLoading(() => client.listEndpoints(), [client]);
  const [error, setError] = useState<unknown>(null);
  usePolling(endpoints.reload, POLL_MS);
  const run = (change: () => Promise<unknown>): void => {
    setError(null);
    change().then(() => {
      endpoints.reload();
      onChange();
    }, setError);
  };
  return (
    <section class="panel" aria-labelledby="endpoints-title">
      <h2 id="endpoints-title">Receivers</h2>
      {endpoints.error !== null && <ProblemNote error={endpoints.error} retry={endpoints.reload} />}
      {error !== null && <ProblemNote error={error} />}
      {endpoints.value?.endpoints.length === 0 && <p class="quiet">Nobody has been called back yet.</p>}
      <ul class="list events">
        {endpoints.value?.endpoints.map(({ source, url, state, pending, delivered, dead, disabled }) => (
          <li key={`${source} ${url}`} class="source-row">
            <StateBadge state={state} />
            <span class="break">
              {url} <small>{source}</small>
            </span>
            <span class="quiet list-end">
              {formatCount(delivered)} delivered, {formatCount(pending)} pending, {formatCount(dead)} dead,{' '}
              {formatCount(disabled)} disabled
            </span>
            {state === 'disabled' && (
              <button
                type="button"
                class="small"
                onClick={() =>
                  run(async () => {
                    await client.enableEndpoint(source, url);
                    await client.replayEvents(source, 'disabled');
                  })
                }
              >
                Enable and replay
              </button>
            )}
            {state === 'enabled' && dead > 0 && (
              <button type="button" class="small" onClick={() => run(() => client.replayEvents(source, 'dead'))}>
                Replay dead
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
