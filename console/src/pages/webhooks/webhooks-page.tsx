/** Webhooks: events, every attempt to deliver them, and the receivers. */
import { ProblemNote } from '../../components/problem.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { formatAge, formatCount } from '../../format.ts';
import { useLoading, usePolling } from '../../loading.ts';
import { Link, navigate, useLocation } from '../../router.tsx';
import { useSession } from '../../session.tsx';
import { Endpoints } from './endpoints.tsx';
import { EventDetails } from './event-details.tsx';

const POLL_MS = 5000;
const STATES = ['accepted', 'decided', 'pending', 'delivered', 'dead', 'disabled', 'unaddressed'] as const;

/** The page; `?id=` opens an event, `?state=` narrows the list. */
export function WebhooksPage() {
  const { client } = useSession();
  const query = useLocation().searchParams;
  const open = query.get('id');
  const state = STATES.find((each) => each === query.get('state'));
  const events = useLoading(() => client.listEvents({ limit: 100, ...(state && { state }) }), [client, state]);
  const stats = useLoading(() => client.getWebhookStats(), [client]);
  const reload = (): void => {
    events.reload();
    stats.reload();
  };
  usePolling(events.reload, POLL_MS);
  usePolling(stats.reload, POLL_MS);
  const suffix = state === undefined ? '' : `&state=${state}`;
  return (
    <>
      <div class="page-head">
        <h1>Webhooks</h1>
        <p class="quiet">What came in, what was called back, and what is still owed. Nothing accepted is lost.</p>
      </div>
      {stats.error !== null && <ProblemNote error={stats.error} retry={stats.reload} />}
      {stats.value !== null && (
        <ul class="panel list" aria-label="Sources">
          {Object.entries(stats.value.sources).map(([source, counts]) => (
            <li key={source} class="source-row">
              <strong>{source}</strong>
              {Object.entries(counts).length === 0 && <span class="quiet">no event yet</span>}
              {Object.entries(counts).map(([name, count]) => (
                <span key={name}>
                  <StateBadge state={name} /> {formatCount(count)}
                </span>
              ))}
            </li>
          ))}
        </ul>
      )}
      {open !== null && <EventDetails key={open} id={open} onChange={reload} />}
      <section class="panel" aria-labelledby="events-title">
        <header class="row form-row">
          <h2 id="events-title">Events</h2>
          <label class="inline">
            State
            <select
              value={state ?? ''}
              onChange={(event) =>
                navigate(
                  event.currentTarget.value === '' ? '/webhooks' : `/webhooks?state=${event.currentTarget.value}`,
                )
              }
            >
              <option value="">all</option>
              {STATES.map((each) => (
                <option key={each} value={each}>
                  {each}
                </option>
              ))}
            </select>
          </label>
        </header>
        {events.error !== null && <ProblemNote error={events.error} retry={events.reload} />}
        {events.value === null && events.error === null && <p class="quiet">Reading the log…</p>}
        {events.value?.events.length === 0 && <p class="quiet">No event.</p>}
        <ul class="list events">
          {events.value?.events.map(({ id, item_id: item, state: now, verdict, attempts, accepted_at: at }) => (
            <li key={id}>
              <Link href={`/webhooks?id=${id}${suffix}`} class="list-link" current={id === open}>
                <StateBadge state={now} />
                <span>{item}</span>
                {verdict !== null && <StateBadge state={verdict} />}
                <span class="quiet list-end">
                  {formatCount(attempts)} {attempts === 1 ? 'attempt' : 'attempts'}, {formatAge(at, Date.now())}
                </span>
              </Link>
            </li>
          ))}
        </ul>
      </section>
      <Endpoints onChange={reload} />
    </>
  );
}
