/** Teach: a classifier of one's own from a few pictures per class. */
import { ProblemNote } from '../../components/problem.tsx';
import { formatAge, formatCount, formatPercent } from '../../format.ts';
import { useLoading } from '../../loading.ts';
import { Link, navigate, useLocation } from '../../router.tsx';
import { useSession } from '../../session.tsx';
import { HeadDetails } from './head-details.tsx';
import { NewHeadForm } from './new-head.tsx';

/** The page; `?head=` opens a head, `?new` begins another. */
export function TeachPage() {
  const { client } = useSession();
  const query = useLocation().searchParams;
  const open = query.get('head');
  const heads = useLoading(() => client.listHeads(), [client, open]);
  const models = useLoading(() => client.listModels(), [client]);
  const isNew = open === null && (query.has('new') || heads.value?.heads.length === 0);
  const error = heads.error ?? models.error;
  return (
    <>
      <div class="page-head with-actions">
        <h1>Teach</h1>
        <p class="quiet">Three pictures per class make a classifier of your own. It answers wherever a model does.</p>
        {!isNew && (
          <button type="button" class="primary" onClick={() => navigate('/teach?new')}>
            New head
          </button>
        )}
      </div>
      {error !== null && (
        <ProblemNote
          error={error}
          retry={() => {
            heads.reload();
            models.reload();
          }}
        />
      )}
      {heads.value === null && heads.error === null && <p class="quiet">Reading the list of heads…</p>}
      {isNew && models.value !== null && (
        <NewHeadForm models={models.value} onTaught={(name) => navigate(`/teach?head=${name}`)} />
      )}
      {open !== null && <HeadDetails key={open} name={open} onDeleted={() => navigate('/teach')} />}
      {heads.value !== null && heads.value.heads.length > 0 && (
        <ul class="panel list" aria-label="Heads">
          {heads.value.heads.map(({ name, own, latest, versions, created_at: createdAt }) => (
            <li key={name}>
              <Link href={`/teach?head=${name}`} class="list-link" current={name === open}>
                <strong>{name}</strong>
                {!own && <span class="badge">shared with you</span>}
                {latest !== null && (
                  <span class="quiet">
                    {formatCount(latest.classes)} classes, {formatCount(latest.examples)} examples
                    {latest.accuracy !== null && `, ${formatPercent(latest.accuracy)}`}
                  </span>
                )}
                <span class="quiet list-end">
                  {formatCount(versions)} {versions === 1 ? 'version' : 'versions'}, {formatAge(createdAt, Date.now())}
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
